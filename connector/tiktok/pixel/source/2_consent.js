/*
 * What the visitor has said. Several tools may speak; a refusal by any of them wins, as on the server.
 */

/** Each tool's newest word: granted or denied. */
let said = {};

/** The choice that was acted upon last: status, source, at. */
let current = { status: 'unknown' };

/** Whether the visitor must be asked first where they are; undefined until the store has told. */
let required;

let gpc;
let country;
let customer;
let isStaff;
let asked;

const WORDS = { allow: 'granted', granted: 'granted', deny: 'denied', denied: 'denied' };

const note = (tool, word) => {
  if (WORDS[word]) {
    said[tool] = WORDS[word];
  }
};

/** The choice now. While its word is the same it keeps the time at which it was made. */
const choice = () => {
  for (const status of ['denied', 'granted']) {
    const source = Object.keys(said).find((tool) => said[tool] == status);
    if (source) {
      return status == current.status ? current : { status, source, at: new Date().toISOString() };
    }
  }
  return { status: 'unknown' };
};

/** Whether data may be used and stored. A place that is not known counts as one where consent is required. */
const permits = ({ status }) =>
  status != 'denied' && (required === false || (status == 'granted' && !gpc));

/** The WP Consent API's own record. */
const readConsentApi = () => {
  const { cookie_prefix: prefix = 'wp_consent' } = root.consent_api || {};
  note('wp_consent_api', readCookie(`${prefix}_marketing`));
};

/** Google Consent Mode. Only an update is a visitor's choice; a default is the shop's. */
const google = {};

const readGoogle = (entry) => {
  if (entry && entry[0] == 'consent' && entry[1] == 'update') {
    Object.assign(google, entry[2]);
    note('google_consent_mode', google.ad_user_data == 'denied' ? 'denied' : google.ad_storage);
  }
};

const watchGoogle = () => {
  const layer = (root.dataLayer = root.dataLayer || []);
  const push = layer.push;
  layer.forEach(readGoogle);
  layer.push = function (...entries) {
    const result = push.apply(layer, entries);
    safely(() => {
      entries.forEach(readGoogle);
      review();
    })();
    return result;
  };
};

const isLoggedIn = () => doc.body.classList.contains('logged-in');

/** Asks the store where the visitor is and who. No answer: as where consent is required. */
const askStore = async () => {
  let answer = {};
  try {
    answer = await (await fetch(`${config.api}/context`)).json();
  } catch (ignored) {}
  ({ country, customer, staff: isStaff } = answer);
  gpc = gpc || answer.gpc;
  if (answer.consent && !said.wp_consent_api) {
    note('wp_consent_api', answer.consent.status);
  }
  if (required === undefined) {
    required = answer.consent_required !== false;
    session.region = required ? undefined : country || '-';
  }
};

/** Whether the decision hangs on an answer of the store. */
const mustAsk = ({ status }) =>
  config.api && (isLoggedIn() || (required === undefined && status != 'denied' && (gpc || status == 'unknown')));
