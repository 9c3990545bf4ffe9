/*
 * Small tools. All files of this folder are joined in the order of their names into one closed function, so a name
 * made here is known in the others. ES2017, no dependency. `pixel.min.js` is made from them, see ../README.md.
 */

/** What the connector knows of this installation; `build.py` puts it in. */
const INSTALLATION = PIXEL_SETTINGS;

const NAME = 'pixel_connector';
const root = window;
const doc = document;
const { assign } = Object;

/** The object that shops may talk to. What a page has put there is kept; `begin` adds the configuration. */
const api = (root.pixelConnector = root.pixelConnector || {});

/** The same function, but no failure of ours, now or later, ever reaches the page. */
const safely = (work) => async (...input) => {
  try {
    await work(...input);
  } catch (ignored) {}
};

/** Every event passes the window first: we look, change nothing, and nobody can hide one from us. */
const listen = (type, work) => root.addEventListener(type, safely(work), true);

const readCookie = (name) => (`; ${doc.cookie}`.split(`; ${name}=`)[1] || '').split(';')[0];

/** A cookie's JSON; an empty object when it is none. PHP writes a space as a plus. */
const readJson = (name) => {
  try {
    return JSON.parse(decodeURIComponent(readCookie(name).replace(/\+/g, ' '))) || {};
  } catch (ignored) {
    return {};
  }
};

/** Writes a cookie for 180 days; without content it goes. */
const writeJson = (name, content) => {
  const secure = location.protocol == 'https:' ? ';Secure' : '';
  const text = encodeURIComponent(JSON.stringify(content));
  doc.cookie = `${name}=${text};Path=/;SameSite=Lax;Max-Age=${content ? 15552000 : 0}${secure}`;
};

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, 0)).join('');

/** 128 random bits: ids are made here, where no page cache can freeze them. */
const mint = () => hex(crypto.getRandomValues(new Uint8Array(16)));

/** What this tab remembers: `fired` events, the first foreign `ref`, `region` (a country without a duty to ask). */
const session = { fired: [] };

const keepSession = safely(() => sessionStorage.setItem(NAME, JSON.stringify(session)));

/** Whether this was not fired in this tab before; from now on it was. */
const isNew = (mark) => {
  const isKnown = session.fired.includes(mark);
  session.fired.push(mark);
  keepSession();
  return !isKnown;
};
