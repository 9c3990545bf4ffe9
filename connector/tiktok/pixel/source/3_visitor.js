/*
 * The visitor's cookie. It exists only where consent was given or is not required.
 */

/** What the cookie held when the page was opened. */
let stored = {};

/** Whether the cookie is there, as far as this tab knows. */
let isKept;

let visitor;
let clickId;

const findClickId = (address) => (/[?&]ttclid=([\w.~-]{1,600})(&|#|$)/.exec(address) || [])[1];

const readVisitor = () => {
  const referrer = doc.referrer;
  const isOwn = referrer.split('/')[2] == location.host;
  visitor = stored.visitor;
  clickId =
    findClickId(location.search) ||
    (/^https?:\/\/([\w-]+\.)*tiktok\.com\//.test(referrer) && findClickId(referrer)) ||
    stored.ttclid ||
    readCookie('ttclid');
  if (session.ref === undefined) {
    session.ref = (isOwn ? stored.ref : referrer.split(/[?#]/)[0].slice(0, 300)) || '';
  }
};

/** This page without what could open an order or name a person: path, click id, campaign. */
const pageAddress = () => {
  const isOrderPage = /^(check|order|account)/.test(config.page);
  const page = location.origin + (isOrderPage ? location.pathname.replace(/\/\d+\/?$/, '/') : location.pathname);
  const kept = location.search.slice(1).split('&').filter((pair) => /^(ttclid|utm_\w+)=/.test(pair));
  const whole = [page, ...(kept[0] ? [kept.join('&')] : [])].join('?');
  return whole.length > 900 ? page.slice(0, 900) : whole;
};

/** The choice as the cookie holds it. */
const statement = () => ({ v: 1, consent: current.status, at: current.at, source: current.source, gpc: !!gpc });

const traits = () => ({ visitor, ttclid: clickId || undefined, ttp: readCookie('_ttp'), page: pageAddress() });

const saveCookie = () => {
  visitor = visitor || mint();
  const content = Object.assign(statement(), traits(), { ref: session.ref });
  if (encodeURIComponent(JSON.stringify(content)).length > 2000) {
    content.page = content.ref = undefined;
  }
  writeCookie(NAME, JSON.stringify(content), DAYS_180);
  isKept = true;
  keepSession();
};

/** After a refusal: nothing is left but, where it may be kept, the refusal itself. */
const clearCookie = () => {
  if (required === false) {
    writeCookie(NAME, JSON.stringify(statement()), DAYS_180);
  } else if (isKept) {
    writeCookie(NAME, '', 0);
    safely(() => sessionStorage.removeItem(NAME))();
  }
  isKept = required === false;
  visitor = undefined;
};

/** Text that the connector hashes alike: the customer's id as the store told it, else the visitor's. */
const externalId = async () => {
  if (customer || !(root.crypto && crypto.subtle)) {
    return customer;
  }
  const text = new TextEncoder().encode(`${config.publicId}:visitor:${visitor}`);
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', text)));
};
