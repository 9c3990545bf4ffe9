/*
 * TikTok's own library, loaded only when consent allows. Its queue may be shared with another tag of the shop.
 */

const METHODS =
  'page track identify instances debug on off once ready alias group enableCookie disableCookie holdConsent revokeConsent grantConsent'.split(
    ' '
  );

/** Whether the library was asked for, and whether it is there. */
let isLoading;
let isLoaded;

/** What waits until the library is there. */
const afterLoad = [];

const queueName = () => root.TiktokAnalyticsObject || 'ttq';

/** Calls a method if there is such: old base codes and blockers' replacements lack some. */
const call = (method, ...input) => {
  const queue = root[queueName()];
  if (queue && typeof queue[method] == 'function') {
    queue[method](...input);
  }
};

const whenLoaded = (work) => (isLoaded ? work() : afterLoad.push(work));

const loaded = safely(() => {
  isLoaded = true;
  afterLoad.splice(0).forEach((work) => safely(work)());
});

const defer = (target) => {
  METHODS.forEach((method) => {
    target[method] = target[method] || ((...input) => target.push([method, ...input]));
  });
  return target;
};

/** Whether somebody has this very pixel on the page already. */
const isThere = () => ((root[queueName()] || {})._i || {})[config.pixelCode];

const loadLibrary = () => {
  const name = (root.TiktokAnalyticsObject = queueName());
  const queue = defer((root[name] = root[name] || []));
  const code = config.pixelCode;
  isLoading = true;
  if (isThere()) {
    call('ready', loaded);
    return;
  }
  const note = (key, value) => ((queue[key] = queue[key] || {})[code] = value);
  note('_i', [])._u = config.library;
  note('_t', Date.now());
  note('_o', gpc ? { limited_data_use: true } : {});
  queue.instance = queue.instance || ((id) => defer(queue._i[id] || []));
  const script = doc.createElement('script');
  script.async = true;
  script.src = `${config.library}?sdkid=${code}&lib=${name}`;
  script.onload = loaded;
  doc.head.appendChild(script);
};
