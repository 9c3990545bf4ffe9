/*
 * The course of a page: read, ask where needed, then act on the choice and on each change of it.
 */

/** Whether consent allows; `isOn` follows when the library's queue is ready. */
let isAllowed;
let hasBegun;
let hasSettled;

const start = async () => {
  const id = await externalId();
  if (!isAllowed || isOn) {
    return;
  }
  const isFirst = !isLoading;
  if (isFirst) {
    loadLibrary();
  } else {
    call('enableCookie');
  }
  isOn = true;
  if (current.status == 'granted') {
    call('grantConsent');
  }
  if (id) {
    call('identify', { external_id: id });
  }
  if (isFirst) {
    call('page');
    // The library writes its browser id some time after it came; orders are stamped from our cookie.
    whenLoaded(() => [500, 3000].forEach((wait) => setTimeout(safely(keepVisitor), wait)));
  }
  waiting.splice(0).forEach((work) => safely(work)());
  readHandover();
};

const stop = () => {
  isOn = false;
  if (!isLoaded && isLoading) {
    root[queueName()].splice(0); // withdrawn before the library came: it finds the refusal only
  }
  call('revokeConsent');
  call('disableCookie');
};

/** Whether the store must hear of this choice: a change, or on a checkout page one that no cookie holds. */
const isNews = (before, { status }) => {
  if (status == 'unknown') {
    return false;
  }
  const isUnstored = status == 'denied' && required !== false && !hasSettled && before == 'unknown';
  return isUnstored ? /^(checkout|order)/.test(config.page) : status != before;
};

/** Acts on the choice as it is now. */
const settle = () => {
  if (isStaff) {
    return;
  }
  const before = current.status;
  current = choice();
  isAllowed = permits(current);
  const isToTell = isNews(before, current);
  hasSettled = true;
  if (isAllowed) {
    saveCookie();
  }
  if (isToTell) {
    beacon('consent_changed', config.order && { order: config.order });
  }
  if (isAllowed) {
    return start();
  }
  clearCookie();
  if (isOn) {
    stop();
  } else if (isThere()) {
    call(current.status == 'denied' ? 'revokeConsent' : 'holdConsent'); // our pixel, put there by another tag
  }
};

/** Reads everything again: another tab, the back button or a consent tool may have changed it. */
const review = async () => {
  if (!hasBegun) {
    return;
  }
  const { consent, source = 'javascript' } = parse(readCookie(NAME));
  if (consent ? WORDS[consent] && consent != current.status : isKept) {
    said = consent ? { [source]: consent } : {};
  }
  readConsentApi();
  if (mustAsk(choice())) {
    await (asked = (!isOn && customer === null ? undefined : asked) || askStore());
  }
  return settle();
};

/** The cookie once more, unless another tab has changed the choice. */
const keepVisitor = () => {
  if (isOn && parse(readCookie(NAME)).consent == current.status) {
    saveCookie();
  }
};

const begin = () => {
  const block = doc.getElementById('pixel-connector-config');
  config = Object.assign(api, block && parse(block.textContent), INSTALLATION);
  stored = parse(readCookie(NAME));
  isKept = !!stored.v;
  readSession();
  gpc = navigator.globalPrivacyControl === true;
  required = { required: true, opt_out: false }[config.policy];
  if (required === undefined && session.region) {
    required = false;
    country = session.region;
  }
  current = { status: stored.consent || 'unknown', source: stored.source, at: stored.at };
  if (WORDS[stored.consent]) {
    note(stored.source || 'javascript', stored.consent);
  }
  note('javascript', api.choice);
  watchGoogle();
  readVisitor();
  collectPageEvents();
  hasBegun = true;
  safely(watchPayment)();
  safely(watchCart)();
  listen(doc, 'wp_listen_for_consent_change', review);
  listen(doc, 'visibilitychange', () => (doc.hidden ? keepVisitor() : review()));
  listen(root, 'pagehide', keepVisitor);
  listen(root, 'pageshow', (event) => event.persisted && review().then(() => readHandover()));
  return review();
};

/** Documented: `pixelConnector.consent('granted' | 'denied')`. */
const state = (word) => {
  note('javascript', word);
  return review();
};

if (!api.consent) {
  api.consent = safely(state);
  if (doc.prerendering) {
    listen(doc, 'prerenderingchange', begin);
  } else if (doc.readyState == 'loading') {
    listen(doc, 'DOMContentLoaded', begin);
  } else {
    safely(begin)();
  }
}
