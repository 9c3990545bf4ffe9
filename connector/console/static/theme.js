// Before anything is painted: the browser's own choice of light or dark, unless the viewer chose one.
(function () {
  "use strict";
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function paint() {
    var wish = root.dataset.theme;
    root.dataset.bsTheme = wish === "dark" || (wish === "auto" && dark.matches) ? "dark" : "light";
  }
  paint();
  dark.addEventListener("change", paint);
  window.consoleTheme = function (wish) {
    root.dataset.theme = wish;
    document.cookie = "console_theme=" + wish + "; path=/console; max-age=31536000; samesite=lax";
    paint();
  };
})();
