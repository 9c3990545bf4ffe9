/*
 * The course of a page: read, ask where needed, then act on the choice and on each change of it.
 */

const start = async () => {
  const external_id = await externalId();
  if (isOn || !permits(current)) {
    return;
  }
  isOn = true;
  if (!whenLoaded) {
    whenLoaded = loadLibrary();
    whenLoaded.then(() => setTimeout(review, 1000)); // by then it has written its browser id, for our cookie
  }
  if (readCookie('_tt_enable_cookie') === '0') {
    call('enableCookie'); // an earlier withdrawal had switched it off
  }
  if (current.status == 'granted') {
    call('grantConsent');
  }
  if (external_id) {
    call('identify', { external_id });
  }
  flush();
};

/** Withdrawn, or not given and another tag has put our pixel there. */
const stop = () => {
  if (isOn || current.status == 'denied') {
    isOn = false;
    root.ttq.length = 0; // withdrawn before the library came: it finds the refusal only
    call('revokeConsent');
    call('disableCookie');
  } else {
    call('holdConsent');
  }
};

/** Acts on the choice as it is now, and tells the store of a change. */
const settle = async () => {
  const before = current.status;
  current = choose();
  const isAllowed = permits(current);
  if (isAllowed) {
    visitor = visitor || mint();
  }
  saveCookie();
  // Where a refusal leaves no trace on the device it looks new on each page: then it counts where an order is made.
  if (current.status != before && (visitor || api.checkout)) {
    beacon('consent_changed', { order: api.order });
  }
  if (isAllowed) {
    await start();
    await readHandover();
  } else {
    visitor = undefined;
    if (isThere()) {
      stop();
    }
  }
};

/** Reads everything again: another tab, the back button or a consent tool may have changed it. */
const review = safely(async () => {
  const seen = readJson(NAME);
  if (seen.consent != stored.consent) {
    said = {};
    stored = seen;
    note(seen.source, seen.consent);
  }
  note('wp_consent_api', readCookie('wp_consent_marketing'));
  await askStore();
  if (!context.staff) {
    await settle();
  }
});

const begin = async () => {
  const block = doc.getElementById('pixel-connector-config');
  assign(api, block && JSON.parse(block.textContent), INSTALLATION);
  stored = readJson(NAME);
  await safely(() => assign(session, JSON.parse(sessionStorage.getItem(NAME))))();
  gpc = navigator.globalPrivacyControl;
  if (session.region) {
    required = false; // asked on an earlier page of this visit
  }
  current = { status: stored.consent || 'unknown', source: stored.source, at: stored.at };
  note(stored.source, stored.consent);
  note('javascript', api.choice);
  safely(watchGoogle)();
  readVisitor();
  act(() => call('page'));
  collectPageEvents(api);
  listen('wp_listen_for_consent_change', review);
  listen('visibilitychange', review);
  listen('pageshow', review);
  // Additions to the cart come by page load, form, AJAX, blocks or the Store API: look after every call that ends.
  new PerformanceObserver(readHandover).observe({ type: 'resource' });
  return review();
};

if (!api.consent) {
  /** Documented: `pixelConnector.consent('granted' | 'denied')`. Before `begin` it is only noted. */
  api.consent = safely((word) => {
    note('javascript', word);
    return current && review();
  });
  /** Documented: `pixelConnector.track(name, {product_id})`. */
  api.track = safely((name, extra) => {
    if ('AddToWishlist Subscribe Lead Contact'.includes(name)) {
      act(() => tell(name, {}, mint(), extra || {}));
    }
  });
  const late = doc.prerendering ? 'prerenderingchange' : doc.readyState == 'loading' && 'DOMContentLoaded';
  if (late) {
    listen(late, begin);
  } else {
    safely(begin)();
  }
}
