/*
 * What happens on the storefront, to TikTok's library and, under the same id, to the store.
 */

/** Whether events may leave now. What happens before waits in `waiting`, in memory only. */
let isOn;
const waiting = [];

/** Tells the store; views of busy shops go straight to the connector. Nothing waits for an answer. */
const beacon = (name, extra) => {
  const isDirect = config.viewsDirect && name == 'ViewContent';
  const url = isDirect ? config.collect : config.api && `${config.api}/beacon`;
  const { status, at, source } = current;
  const body = JSON.stringify(
    Object.assign(
      { name, visitor, consent: { status, at, source }, gpc: !!gpc },
      status != 'denied' && Object.assign(traits(), { referrer: session.ref || undefined }),
      isDirect && { country },
      extra
    )
  );
  if (!url) {
    return;
  }
  // As text: a preflight would cost a second request. `fetch` names the origin whatever the referrer policy.
  if ('keepalive' in Request.prototype) {
    fetch(url, { method: 'POST', body, keepalive: true, credentials: isDirect ? 'omit' : 'same-origin' }).catch(() => {});
  } else {
    navigator.sendBeacon(url, body);
  }
};

const isSwitchedOff = (name) => (config.disabledEvents || []).includes(name);

const track = (name, parameters, id) => {
  if (!isSwitchedOff(name)) {
    call('track', name, parameters, { event_id: id, pixel_code: config.pixelCode });
  }
};

/** To both, under one id. */
const tell = (name, parameters, extra) => {
  const id = mint();
  if (!isSwitchedOff(name)) {
    track(name, parameters, id);
    beacon(name, Object.assign({ event_id: id }, extra));
  }
};

const content = (item) => ({
  content_id: String((config.contentId != 'id' && item.sku) || item.variation_id || item.product_id),
  content_type: 'product',
  content_name: config.productNames ? item.name : undefined,
  price: item.price ? +item.price : undefined,
  quantity: item.quantity || 1,
});

const describe = (items, value, currency) =>
  Object.assign({ content_type: 'product', contents: items.map(content) }, value && { value: +value, currency });

const describeOne = (item) => describe([item], item.price && item.price * (item.quantity || 1), item.currency);

/** At once, or when it becomes allowed; what happens under a refusal is forgotten. */
const act = (work) => (isOn ? work() : choice().status != 'denied' && waiting.push(work));

/** Once for each opening of the page: a reload and the back button open nothing new. */
const onPage = (name, mark, parameters, extra) =>
  waiting.push(() => {
    const [entry] = performance.getEntriesByType('navigation');
    if (isNew(name + mark) || !entry || entry.type == 'navigate') {
      tell(name, parameters, extra);
    }
  });

const PERSONAL = /\S@\S|(\d[\s().\-/]*){7}/;

const purchase = ({ event, event_id: id, contents, value, currency, num_items, order_id }) => {
  if (isNew(id)) {
    const items = contents.map((each) =>
      Object.assign(each, { price: +each.price, content_name: config.productNames ? each.content_name : undefined })
    );
    track(event, { content_type: 'product', contents: items, value: +value, currency, num_items, order_id }, id);
    whenLoaded(() => beacon('browser_sent', { order: config.order }));
  }
};

/** What this page is about. */
const collectPageEvents = () => {
  const { product, search, checkout, purchase: bought } = config;
  if (product) {
    onPage('ViewContent', product.product_id, describeOne(product), { product_id: product.product_id });
  }
  if (search) {
    onPage('Search', search, PERSONAL.test(search) ? {} : { search_string: search }, { search });
  }
  if (checkout && checkout.items && checkout.stage == 'checkout') {
    const { items, value, currency } = checkout;
    onPage('InitiateCheckout', JSON.stringify(items), describe(items, value, currency));
  }
  // A pixel changed since the order was stamped: the server alone tells this purchase, to the old one.
  if (bought && (!bought.pixel_code || bought.pixel_code == config.pixelCode)) {
    waiting.push(() => purchase(bought));
  }
};

/** Events whose ids the store has minted: each once, then the cookie goes. */
const readHandover = (text) => {
  if (!isOn) {
    return;
  }
  const take = (name) => {
    const found = readCookie(name);
    if (found) {
      writeCookie(name, '', 0);
    }
    return parse(found);
  };
  const added = [take(`${NAME}_cart`), parse(text)].find(Array.isArray) || [];
  added.filter(({ id }) => isNew(id)).forEach((item) => track('AddToCart', describeOne(item), item.id));
  const registration = take(`${NAME}_registration`);
  if (registration.length && isNew(registration)) {
    track('CompleteRegistration', {}, registration);
  }
};

/** The visitor chose how to pay, or pays: once for each cart. Scripts choose too, those are not meant. */
const watchPayment = () => {
  const { items = [], value, currency } = config.checkout || {};
  const chosen = () =>
    act(() => {
      saveCookie();
      if (isNew(`AddPaymentInfo${JSON.stringify(items)}`)) {
        tell('AddPaymentInfo', items[0] ? describe(items, value, currency) : {});
      }
    });
  const isField = /payment[-_]method/;
  const buttons = '#place_order,.wc-block-components-checkout-place-order-button';
  listen(doc, 'change', (event) => event.isTrusted && isField.test(event.target.name) && chosen());
  listen(doc, 'click', (event) => event.target.closest(buttons) && chosen());
};

/** Additions to the cart come by page load, form, jQuery, blocks or the Store API: look after every call. */
const watchCart = () => {
  const look = () => readHandover();
  if (root.jQuery) {
    root.jQuery(doc.body).on('added_to_cart', safely((event, fragments) => readHandover((fragments || {})[`${NAME}_cart`])));
  }
  listen(doc, 'wc-blocks_added_to_cart', look);
  const isCall = ({ initiatorType }) => /^(fetch|xmlhttprequest)$/.test(initiatorType);
  new PerformanceObserver(safely((list) => list.getEntries().some(isCall) && look())).observe({ type: 'resource' });
};

/** Documented: `pixelConnector.track(name, {product_id})`. */
api.track = safely((name, { product_id } = {}) => {
  if (/^(AddToWishlist|Subscribe|Lead|Contact)$/.test(name)) {
    const { product } = config;
    const isShown = product && product.product_id == product_id;
    act(() => tell(name, isShown ? describeOne(product) : {}, { product_id }));
  }
});
