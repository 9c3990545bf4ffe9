/*
 * What happens on the storefront, to TikTok's library and, under the same id, to the store.
 */

/** Whether events may leave now. What happens before waits in `waiting`, in memory only. */
let isOn;
const waiting = [];

/** Tells the store; views of busy shops go straight to the connector. Nothing waits for an answer. */
const beacon = (name, extra) => {
  const isDirect = api.viewsDirect && name == 'ViewContent';
  const body = assign({ name, visitor, gpc, consent: current }, extra);
  if (permits(current)) {
    assign(body, traits(), { referrer: session.ref, country: session.region });
  }
  if (api.api) {
    // As text: a preflight would cost a second request. `fetch` names the origin whatever the referrer policy.
    safely(fetch)(isDirect ? api.collect : api.api + '/beacon', {
      body: JSON.stringify(body),
      method: 'POST',
      keepalive: true,
    });
  }
};

/** To TikTok's library and, when the browser is the first witness, to the store. */
const tell = (name, parameters, event_id, extra) => {
  if (!(api.disabledEvents || '').includes(name)) {
    call('track', name, parameters, { event_id, pixel_code: api.pixelCode });
    if (extra) {
      beacon(name, assign({ event_id }, extra));
    }
  }
};

/** Items and their value in TikTok's words. Their names stay with the server's copy. */
const describe = (items) => ({
  content_type: 'product',
  contents: items.map(({ sku, variation_id, product_id, price, quantity }) => ({
    content_id: `${(api.contentId != 'id' && sku) || variation_id || product_id}`,
    price: price && +price,
    quantity: quantity || 1,
  })),
  value: +items.reduce((sum, { price, quantity }) => sum + price * (quantity || 1), 0).toFixed(2),
  currency: items[0].currency,
});

const flush = () => isOn && waiting.splice(0).forEach((work) => safely(work)());

/** At once, or when it becomes allowed. */
const act = (work) => {
  waiting.push(work);
  flush();
};

/** Once for each opening of the page: a reload, the back button and the page's own form open nothing new. */
const onPage = (name, mark, parameters, extra) =>
  act(() => {
    if (isNew(name + mark) || (!performance.navigation.type && doc.referrer != location.href)) {
      tell(name, parameters, mint(), extra);
    }
  });

/** What this page is about. */
const collectPageEvents = ({ product, search, checkout, purchase, order, pixelCode }) => {
  if (product) {
    const { product_id } = product;
    onPage('ViewContent', product_id, describe([product]), { product_id });
  }
  if (search) {
    onPage('Search', search, {}, { search }); // the words go by the server, which leaves out what is personal
  }
  if (checkout && checkout.items && checkout.stage == 'checkout') {
    const parameters = describe(checkout.items);
    onPage('InitiateCheckout', '', parameters, {});
    watchPayment(parameters);
  }
  // A pixel changed since the order was stamped: the server alone tells this purchase, to the old one.
  if (purchase && (purchase.pixel_code || pixelCode) == pixelCode) {
    const { event, event_id, contents, value } = purchase;
    contents.forEach((each) => (each.price = +each.price));
    act(() => {
      if (isNew(event_id)) {
        tell(event, assign(purchase, { content_type: 'product', value: +value }), event_id);
        whenLoaded.then((came) => beacon('browser_sent', { order, sent: !!came }));
      }
    });
  }
};

/** The visitor chose how to pay, or pays: once for each cart. Scripts choose too, those are not meant. */
const watchPayment = (parameters) => {
  listen('click', ({ isTrusted, target }) => {
    if (isTrusted && target.closest('#place_order,[class*=place-order],[name*=payment]')) {
      act(() => isNew(JSON.stringify(parameters)) && tell('AddPaymentInfo', parameters, mint(), {}));
    }
  });
};

/**
 * Events whose ids the store has minted: each once, then the cookie goes. A page that is being left sees the next page's
 * cookie already, and what it would fire could be lost with it.
 */
const readHandover = safely(() => {
  if (isOn && !doc.hidden) {
    const added = readJson(NAME + '_cart');
    const registration = readJson(NAME + '_registration');
    if (added.length) {
      writeJson(NAME + '_cart');
      added.forEach((item) => isNew(item.id) && tell('AddToCart', describe([item]), item.id));
    }
    if (registration.length) {
      writeJson(NAME + '_registration');
      isNew(registration) && tell('CompleteRegistration', {}, registration);
    }
  }
});
