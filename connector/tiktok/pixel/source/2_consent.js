/*
 * What the visitor has said. Several tools may speak; a refusal by any of them wins, as on the server.
 */

/** Each tool's newest word: granted or denied. */
let said = {};

/** The choice that was acted upon last: status (granted, denied, unknown), source, at. */
let current;

/** Whether the visitor must be asked first where they are; undefined until the store has told. */
let { required } = INSTALLATION;

let gpc;

/** What the store told of the visitor: country, customer, staff. */
let context = {};
let asked;

const WORDS = { allow: 'granted', granted: 'granted', deny: 'denied', denied: 'denied' };

const note = (tool, word) => {
  if (WORDS[word]) {
    said[tool] = WORDS[word];
  }
};

/** The choice now. While its status is the same it keeps the time at which it was made. */
const choose = () => {
  const tools = Object.keys(said);
  const source = tools.find((tool) => said[tool] == 'denied') || tools[0];
  const status = said[source] || 'unknown';
  return status == current.status ? current : { status, source, at: new Date() };
};

/** Whether data may be used and stored. A place that is not known counts as one where consent is required. */
const permits = ({ status }) => status != 'denied' && (required == false || (status == 'granted' && !gpc));

/** Google Consent Mode. Only an update is a visitor's choice; a default is the shop's. */
const readGoogle = (entry) => {
  if (entry[0] == 'consent' && entry[1] == 'update') {
    note('google_consent_mode', entry[2].ad_storage);
    return true;
  }
};

const watchGoogle = () => {
  const layer = (root.dataLayer = root.dataLayer || []);
  const { push } = layer;
  layer.forEach(safely(readGoogle));
  layer.push = (...entries) => {
    safely(() => entries.some(readGoogle) && review())();
    return push.apply(layer, entries);
  };
};

/** Asks the store, once, where the visitor is and who, when the decision or the identity hangs on it. */
const askStore = async () => {
  const now = choose();
  const isOpen = required === undefined && now.status != 'denied' && !permits(now);
  if (api.api && (isOpen || doc.body.classList.contains('logged-in'))) {
    asked = asked || fetch(api.api + '/context').then((answer) => answer.json());
    context = await asked.catch(() => context);
    if (isOpen && context.consent_required == false) {
      required = false;
      session.region = context.country || '-';
    }
  }
};
