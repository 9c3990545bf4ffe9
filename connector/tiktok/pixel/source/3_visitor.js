/*
 * The visitor's cookie. It exists only where consent was given or is not required.
 */

/** What the cookie held when it was last read or written. */
let stored;

let visitor;
let ttclid;

const readVisitor = () => {
  const { referrer } = doc;
  const [page] = referrer.split('?');
  const [, found] = /[?&]ttclid=([\w.~-]{1,600})/.exec(`${location.search}&${/tiktok\.com\//.test(page) && referrer}`) || [];
  visitor = stored.visitor;
  ttclid = found || stored.ttclid || readCookie('ttclid');
  session.ref = session.ref || (page.includes(location.host) ? stored.ref : page);
};

/** The page is told without its query: that could open an order. */
const traits = () => ({
  visitor,
  ref: session.ref,
  ttclid,
  ttp: readCookie('_ttp'),
  page: location.href.split(/[?#]/)[0],
});

/** Writes the cookie as far as the choice allows; after a refusal only the refusal, where that may be kept. */
const saveCookie = () => {
  const { status, at, source } = current;
  const isAllowed = permits(current);
  if (isAllowed || required == false) {
    stored = assign({ v: 1, consent: status, at, source, gpc }, isAllowed && traits());
    writeJson(NAME, stored);
    keepSession();
  } else {
    stored = {};
    writeJson(NAME);
    sessionStorage.removeItem(NAME);
  }
};

/** Text that the connector hashes alike: the customer's id as the store told it, else the visitor's. */
const externalId = async () => {
  const text = new TextEncoder().encode(`${api.publicId}:visitor:${visitor}`);
  return context.customer || (crypto.subtle && hex(await crypto.subtle.digest('SHA-256', text)));
};
