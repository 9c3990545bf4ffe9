"""The recorder served as `/i18n/pixel/events.js`: it takes over the queue that a page's pixel code made.

It keeps every call in `window.__ttq_calls`, reports those that TikTok's own library would send to
`/_browser`, sets `_ttp` unless consent is held, and nothing else.
"""

__all__ = ["BROWSER_SCRIPT"]

BROWSER_SCRIPT = r"""(function () {
  var script = document.currentScript;
  var address = new URL(script.src);
  var code = address.searchParams.get('sdkid');
  var name = address.searchParams.get('lib') || window.TiktokAnalyticsObject || 'ttq';
  var queue = window[name] = window[name] || [];
  var calls = window.__ttq_calls = window.__ttq_calls || [];
  var shared = window.__ttq_state = window.__ttq_state || { held: false, waiting: [] };
  var methods = ['page', 'track', 'identify', 'instances', 'debug', 'on', 'off', 'once', 'ready', 'alias',
    'group', 'enableCookie', 'disableCookie', 'holdConsent', 'revokeConsent', 'grantConsent'];
  function report(call) {
    var text = JSON.stringify(call);
    if (!navigator.sendBeacon(address.origin + '/_browser', text)) {
      fetch(address.origin + '/_browser', { method: 'POST', body: text, mode: 'no-cors', keepalive: true });
    }
  }
  function send(call) {
    if (shared.held) { shared.waiting.push(call); return; }
    if (!/(^|; )_ttp=/.test(document.cookie)) {
      document.cookie = '_ttp=standin' + String(Math.random()).slice(2, 18).padEnd(20, '0') +
        '; path=/; max-age=33696000; SameSite=Lax';
    }
    call.sent = true;
    report(call);
  }
  function expire() { document.cookie = '_ttp=; path=/; max-age=0'; }
  var consent = {
    holdConsent: function () { shared.held = true; },
    grantConsent: function () { shared.held = false; shared.waiting.splice(0).forEach(send); },
    revokeConsent: function () { shared.held = true; shared.waiting.length = 0; expire(); },
    disableCookie: expire
  };
  function record(pixel, method, args) {
    var last = args[2] || {};
    var call = { method: method, args: args, pixel_code: last.pixel_code || pixel, url: location.href, sent: false };
    if (method === 'track') {
      call.event = args[0];
      call.event_id = last.event_id || (args[1] || {}).event_id || null;
    }
    if (method === 'page') { call.event = 'Pageview'; }
    calls.push(call);
    if (consent[method]) { consent[method](); }
    if (method === 'track' || method === 'page' || method === 'identify') { send(call); }
    if (method === 'ready' && typeof args[0] === 'function') { args[0](); }
  }
  function takeOver(target, pixel) {
    methods.forEach(function (method) {
      target[method] = function () { record(pixel, method, Array.prototype.slice.call(arguments)); };
    });
    target.push = function () {
      Array.prototype.forEach.call(arguments, function (one) { record(pixel, one[0], one.slice(1)); });
      return 0;
    };
  }
  var early = queue.splice ? queue.splice(0) : [];
  var own = (queue._i && queue._i[code]) || [];
  var earlyOwn = own.splice ? own.splice(0) : [];
  takeOver(queue, code);
  takeOver(own, code);
  queue._i = queue._i || {};
  queue._i[code] = own;
  queue.instance = function (pixel) {
    if (!queue._i[pixel]) { queue._i[pixel] = []; }
    if (queue._i[pixel].track === undefined) { takeOver(queue._i[pixel], pixel); }
    return queue._i[pixel];
  };
  early.concat(earlyOwn).forEach(function (one) {
    if (Array.isArray(one)) { record(code, one[0], one.slice(1)); }
  });
})();
"""
