// Times in the viewer's zone, the search key, column boxes, the live tail. Pages work without it.
(function () {
  "use strict";
  // The page's language, in the form that the viewer's browser asks for: 16:30 for one, 4:30 PM for another.
  var language = document.documentElement.lang || "en";
  language = navigator.languages.find(function (wish) { return wish.split("-")[0] === language; }) || language;
  var zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  var full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  var thisYear = new Intl.DateTimeFormat(language, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  var clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
  var relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  var units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  function ago(at) {
    var seconds = (at - Date.now()) / 1000;
    for (var i = 0; i < units.length; i++) {
      if (Math.abs(seconds) >= units[i][1] || i === units.length - 1) return relative.format(Math.round(seconds / units[i][1]), units[i][0]);
    }
  }

  function showTimes(root) {
    root.querySelectorAll("time[data-moment]").forEach(function (element) {
      var at = new Date(element.dateTime);
      if (isNaN(at)) return;
      element.textContent = element.hasAttribute("data-relative") ? ago(at) : (at.getFullYear() === new Date().getFullYear() ? thisYear : full).format(at);
    });
  }
  showTimes(document);
  // Axes and tooltips of charts: from the hour in UTC to the viewer's.
  var hour = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
  var day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", hour: "2-digit" });
  var date = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });  // an axis has room for no more
  document.querySelectorAll("[data-chart]").forEach(function (card) {
    var places = {}, labels = JSON.parse(card.dataset.chart), starts = JSON.parse(card.dataset.chartStarts);
    labels.forEach(function (label, at) { places[label] = new Date(starts[at].replace(" ", "T")); });
    card.querySelectorAll("svg text, svg title").forEach(function (element) {
      var known = labels.find(function (label) { return element.textContent === label || element.textContent.startsWith(label + ": "); });
      if (!known) return;
      var form = known.length < 6 ? hour : element.tagName === "text" ? date : day;
      element.textContent = form.format(places[known]) + element.textContent.slice(known.length);
    });
  });
  document.querySelectorAll("[data-zone]").forEach(function (element) { element.textContent = zone; });

  // What is asked for by time is sent in UTC and shown in the viewer's zone.
  function two(number) { return String(number).padStart(2, "0"); }
  document.querySelectorAll("input[data-utc-field]").forEach(function (field) {
    if (field.value) {
      var at = new Date(field.value + "Z");
      field.value = at.getFullYear() + "-" + two(at.getMonth() + 1) + "-" + two(at.getDate()) + "T" + two(at.getHours()) + ":" + two(at.getMinutes()) + ":" + two(at.getSeconds());
    }
    field.form.addEventListener("submit", function () {
      if (!field.value) { field.disabled = true; return; }
      var at = new Date(field.value);
      var hidden = document.createElement("input");
      hidden.type = "hidden";
      hidden.name = field.name;
      hidden.value = at.toISOString().slice(0, 19) + "Z";
      field.form.appendChild(hidden);
      field.disabled = true;
    });
  });

  document.querySelectorAll("form.filters").forEach(function (form) {
    form.addEventListener("submit", function () {
      var boxes = Array.prototype.slice.call(form.querySelectorAll("input[name=col]"));
      var chosen = boxes.filter(function (box) { return box.checked; });
      var changed = boxes.some(function (box) { return box.checked !== box.defaultChecked; });
      if (changed) form.querySelector("[data-cols]").value = chosen.map(function (box) { return box.value; }).join(",");
      boxes.forEach(function (box) { box.disabled = true; });
      form.querySelectorAll("input, select").forEach(function (field) { if (!field.value) field.disabled = true; });
    });
  });

  document.querySelectorAll("[data-theme-switch]").forEach(function (field) {
    field.addEventListener("change", function () { window.consoleTheme(field.value); });
  });

  document.addEventListener("keydown", function (event) {
    var field = document.getElementById("q");
    if (event.key !== "/" || !field || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) return;
    event.preventDefault();
    field.focus();
  });

  // What goes on by itself is fetched again in its place: a page that reloads would take the focus from who uses keys.
  function keepFresh(element) {
    window.setTimeout(function () {
      fetch(window.location.href, { credentials: "same-origin" }).then(function (answer) { return answer.text(); }).then(function (text) {
        var fresh = new DOMParser().parseFromString(text, "text/html").querySelector("[data-reload]");
        if (!fresh) { window.location.reload(); return; }  // it is over: now the whole page may look different
        element.replaceWith(fresh);
        showTimes(fresh);
        keepFresh(fresh);
      }).catch(function () { keepFresh(element); });
    }, Number(element.dataset.reload));
  }
  document.querySelectorAll("[data-reload]").forEach(keepFresh);

  var tail = document.querySelector("[data-tail]");
  if (!tail) return;
  var words = JSON.parse(tail.dataset.words);
  var rows = tail.querySelector("[data-tail-rows]"), status = tail.querySelector("[data-tail-status]");
  var counter = tail.querySelector("[data-tail-count]"), lost = tail.querySelector("[data-tail-dropped]");
  var empty = tail.querySelector("[data-tail-empty]"), button = document.querySelector("[data-tail-pause]");
  var seen = 0, dropped = 0, paused = false, waiting = [], most = 200, known = new Set();
  var atOnce = 25, drawing = false;  // few in a frame: a key or a click never waits for a screenful
  var places = { webhook: "/console/webhooks/", event: "/console/events/", attempt: "/console/attempts/" };

  function part(row, name, text) {
    var element = document.createElement("span");
    element.className = "tail-" + name;
    element.textContent = text;
    row.appendChild(element);
    return element;
  }

  function drawSoon() {
    if (drawing || paused || !waiting.length) return;
    drawing = true;
    window.requestAnimationFrame(draw);
  }

  function draw() {
    drawing = false;
    if (paused) return;
    var batch = document.createDocumentFragment();
    waiting.splice(0, atOnce).reverse().forEach(function (entry) {
      var row = document.createElement("li");
      row.className = "tail-row kind-" + entry.kind;
      var time = document.createElement("time");
      time.dateTime = entry.at;
      time.title = entry.at.replace("T", " ").replace("Z", " UTC");
      time.textContent = clock.format(new Date(entry.at));
      row.appendChild(time);
      part(row, "kind", words[entry.kind]);
      var link = document.createElement("a");
      link.href = places[entry.kind] + entry.id;
      link.textContent = entry.what;
      row.appendChild(link);
      if (entry.state) part(row, "state", entry.state).classList.add("badge", "state", "state-" + entry.state);
      part(row, "detail", entry.detail);
      part(row, "store", entry.installation);
      batch.appendChild(row);
    });
    rows.insertBefore(batch, rows.firstChild);
    while (rows.children.length > most) rows.removeChild(rows.lastChild);
    empty.hidden = true;
    drawSoon();
  }

  var source = new EventSource(tail.dataset.tail);
  source.onopen = function () { status.textContent = words.open; };
  source.onerror = function () { status.textContent = words.closed; };
  source.addEventListener("signed_out", function () { source.close(); status.textContent = words.signed_out; });
  source.onmessage = function (message) {
    var found = JSON.parse(message.data);
    // After a reconnection some come twice.
    found.entries = found.entries.filter(function (entry) {
      var key = entry.kind + entry.id;
      if (known.has(key)) return false;
      known.add(key);
      return true;
    });
    if (known.size > 20000) known = new Set(Array.from(known).slice(-5000));
    seen += found.entries.length;
    dropped += found.dropped;
    waiting = waiting.concat(found.entries).slice(-most);
    counter.textContent = String(seen);
    lost.textContent = String(dropped);
    drawSoon();
  };
  button.addEventListener("click", function () {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? words.go_on : words.pause;
    drawSoon();
  });
})();
