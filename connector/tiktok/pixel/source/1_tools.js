/*
 * Small tools. All files of this folder are joined in the order of their names into one closed function, so a name
 * made here is known in the others. ES2017, no dependency. `pixel.min.js` is made from them, see README.md.
 */

/** What the connector knows of this installation; `build.py` puts it in. */
const INSTALLATION = PIXEL_SETTINGS;

const NAME = 'pixel_connector';
const DAYS_180 = 15552000;
const root = window;
const doc = document;

/** The object that shops may talk to. What a page has put there before is kept. */
const api = (root.pixelConnector = root.pixelConnector || {});

/** The installation and, from the store's block in the page, what this page is about. */
let config = {};

/** The same function, but no failure of ours ever reaches the page. */
const safely = (work) => (...input) => {
  try {
    const result = work(...input);
    return result && result.catch ? result.catch(() => {}) : result;
  } catch (ignored) {}
};

/** Capturing: we look first, change nothing, and nobody can hide an event from us. */
const listen = (target, type, work) => target.addEventListener(type, safely(work), true);

const parse = (text) => {
  try {
    return JSON.parse(text) || {};
  } catch (ignored) {
    return {};
  }
};

/** A cookie's content. PHP writes a space as a plus, and a plus itself is always encoded. */
const readCookie = (name) => {
  const found = `; ${doc.cookie}`.split(`; ${name}=`)[1];
  return found && safely(decodeURIComponent)(found.split(';')[0].replace(/\+/g, ' '));
};

const writeCookie = (name, content, seconds) => {
  const secure = location.protocol == 'https:' ? '; Secure' : '';
  doc.cookie = `${name}=${encodeURIComponent(content)}; Path=/; SameSite=Lax; Max-Age=${seconds}${secure}`;
};

const hex = (bytes) => Array.from(bytes, (byte) => (256 + byte).toString(16).slice(1)).join('');

/** 128 random bits: ids are made here, where no page cache can freeze them. */
const mint = () => hex(crypto.getRandomValues(new Uint8Array(16)));

/** What this tab remembers: `fired` events, first foreign `ref`, `region` (a country without a duty to ask). */
let session = {};

const readSession = safely(() => {
  session = parse(sessionStorage.getItem(NAME));
});

const keepSession = safely(() => sessionStorage.setItem(NAME, JSON.stringify(session)));

/** Whether this was not fired in this tab before; from now on it was. */
const isNew = (mark) => {
  const fired = session.fired || [];
  if (fired.includes(mark)) {
    return false;
  }
  session.fired = [...fired.slice(-40), mark];
  keepSession();
  return true;
};
