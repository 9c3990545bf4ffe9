/*
 * TikTok's own library, loaded only when consent allows. Its queue may be shared with another tag of the shop.
 */

/** Once the library was asked for: the promise of whether it came. */
let whenLoaded;

/** Calls a method if there is such: old base codes and blockers' replacements lack some. */
const call = (method, ...input) => {
  const { ttq } = root;
  if (ttq && ttq[method]) {
    ttq[method](...input);
  }
};

/** Whether this very pixel is on the page, by us or by another tag. */
const isThere = () => ((root.ttq || {})._i || {})[api.pixelCode];

/**
 * The queue as TikTok's base code makes it, and the library that will take it over. Promises whether it came: a blocker
 * or a policy may keep it away.
 */
const loadLibrary = () =>
  new Promise((resolve) => {
    const { pixelCode, library } = api;
    const queue = (root.ttq = root.ttq || []);
    const set = (key, value) => ((queue[key] = queue[key] || {})[pixelCode] = value);
    'page disableCookie enableCookie identify revokeConsent grantConsent track'.split(' ').forEach((method) => {
      queue[method] = queue[method] || ((...input) => queue.push([method, ...input]));
    });
    if (isThere()) {
      return resolve(true);
    }
    const script = doc.createElement('script');
    root.TiktokAnalyticsObject = 'ttq';
    set('_i', [])._u = library;
    set('_t', +new Date());
    set('_o', { limited_data_use: gpc });
    script.src = `${library}?sdkid=${pixelCode}&lib=ttq`;
    script.onload = resolve;
    script.onerror = () => resolve();
    doc.head.append(script);
  });
