"use strict";
(() => {
  // One player for the whole page, so that thousands of recordings are not loaded before they are played.
  const audio = new Audio();
  audio.preload = "none";
  let current = null;
  // Addresses of blind recordings are kept outside the document, because they name the trial.
  const hidden = new WeakMap();

  function stop() {
    audio.pause();
    if (current) {
      current.setAttribute("aria-pressed", "false");
      current.style.setProperty("--at", 0);
    }
    current = null;
  }

  function play(link) {
    stop();
    current = link;
    link.setAttribute("aria-pressed", "true");
    audio.src = hidden.get(link) || link.getAttribute("href");
    audio.play().catch(() => { if (current === link) stop(); });
    link.focus({ preventScroll: true });
  }

  const toggle = (link) => (current === link ? stop() : play(link));

  audio.addEventListener("ended", stop);
  audio.addEventListener("timeupdate", () => {
    if (current && audio.duration) current.style.setProperty("--at", audio.currentTime / audio.duration);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".play");
    if (link) {
      event.preventDefault();
      toggle(link);
    }
  });

  const isVisible = (element) => element.getClientRects().length > 0;

  function neighbour(link, key) {
    const line = link.closest(".line");
    if (!line) return null;
    const row = [...line.querySelectorAll(".play")];
    if (key === "ArrowLeft" || key === "ArrowRight") {
      return row[row.indexOf(link) + (key === "ArrowRight" ? 1 : -1)] || null;
    }
    const lines = [...line.closest(".lines").querySelectorAll(".line")];
    const step = key === "ArrowDown" ? 1 : -1;
    for (let at = lines.indexOf(line) + step; lines[at]; at += step) {
      const found = [...lines[at].querySelectorAll(".play")];
      const same = found.find((other) => other.dataset.voice === link.dataset.voice);
      if (same || found.length) return same || found[0];
    }
    return null;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const target = event.target;
    if (event.key === " " && (target.matches(".play") || target === document.body)) {
      const link = target.matches(".play") ? target : current || [...document.querySelectorAll(".line .play")].find(isVisible);
      if (link) {
        event.preventDefault();
        toggle(link);
      }
    } else if (event.key.startsWith("Arrow") && target.matches(".play")) {
      const next = neighbour(target, event.key);
      if (next) {
        event.preventDefault();
        const wasPlaying = current !== null;
        next.focus({ preventScroll: true });
        next.closest(".line").scrollIntoView({ block: "nearest" });
        if (wasPlaying) play(next);
      }
    }
  });

  // Tabs show one set of lines at a time.
  const tabs = document.querySelector(".tabs");
  function show(name) {
    for (const button of tabs.querySelectorAll("button")) {
      const shown = button.dataset.set === name;
      button.setAttribute("aria-pressed", String(shown));
      const lines = document.getElementById("set-" + button.dataset.set);
      lines.hidden = !shown;
      // The button already shows the title.
      lines.querySelector("h3").hidden = true;
    }
  }
  if (tabs) {
    tabs.hidden = false;
    show(tabs.querySelector("button").dataset.set);
    tabs.addEventListener("click", (event) => {
      if (event.target.dataset.set) {
        stop();
        show(event.target.dataset.set);
      }
    });
  }
  function openTrial() {
    const trial = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (trial && trial.matches("details")) trial.open = true;
  }
  addEventListener("hashchange", openTrial);
  openTrial();

  // The blind round. Its inlined data is shown as text, never as markup.
  const data = document.getElementById("pairs");
  if (!data) return;
  const { format, search, size, pairs } = JSON.parse(data.textContent);
  const place = document.getElementById("round");
  const about = place.firstElementChild;
  const store = "sweetspot round " + search;
  let state = loadState();

  function loadState() {
    try {
      return JSON.parse(localStorage.getItem(store));
    } catch {
      return null;
    }
  }
  function saveState() {
    try {
      localStorage.setItem(store, JSON.stringify(state));
    } catch {
      // A page opened from disk may have no storage; the votes then last as long as the page is open.
    }
  }

  function element(tag, content, more) {
    const made = document.createElement(tag);
    if (typeof content === "string") made.textContent = content;
    else made.append(...content);
    return Object.assign(made, more || {});
  }
  function button(words, key, act) {
    const made = element("button", words, { type: "button", onclick: act });
    if (key) made.dataset.key = key;
    return made;
  }

  function randomBelow(count) {
    // Rejection sampling: numbers above the last multiple of count would bias the remainder.
    const drawn = new Uint32Array(1);
    do crypto.getRandomValues(drawn);
    while (drawn[0] >= 4294967296 - (4294967296 % count));
    return drawn[0] % count;
  }
  function shuffled(items) {
    const mixed = [...items];
    for (let at = mixed.length - 1; at > 0; at--) {
      const other = randomBelow(at + 1);
      [mixed[at], mixed[other]] = [mixed[other], mixed[at]];
    }
    return mixed;
  }
  const toHex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  function beginRound() {
    const chosen = shuffled(pairs).slice(0, size);
    state = {
      round: toHex(crypto.getRandomValues(new Uint8Array(8))),
      asked: chosen.map((pair) => ({ pair, first: randomBelow(2) ? "trial" : "base" })),
      votes: [],
    };
    saveState();
    render();
    focusOn(".play");
  }

  function playButton(letter, pair, which) {
    const link = element("a", letter, { className: "play", href: "#blind" });
    link.setAttribute("role", "button");
    link.setAttribute("aria-pressed", "false");
    link.setAttribute("aria-label", "play " + letter);
    link.dataset.voice = letter;
    hidden.set(link, pair.addresses[which]);
    return link;
  }

  function vote(choice) {
    stop();
    const { pair, first } = state.asked[state.votes.length];
    const { trial, confirmation, text, occurrence } = pair;
    state.votes.push({ trial, confirmation, text, occurrence, first, choice });
    saveState();
    render();
    focusOn(state.votes.length < state.asked.length ? ".play" : ".main");
  }

  function focusOn(selector) {
    const found = place.querySelector(selector);
    if (found) found.focus({ preventScroll: true });
  }

  function question() {
    const at = state.votes.length;
    const { pair, first } = state.asked[at];
    const second = first === "trial" ? "base" : "trial";
    const text = element("p", pair.text, { className: "text", dir: "auto" });
    const both = element("div", [playButton("A", pair, first), playButton("B", pair, second)], { className: "ab line" });
    const choices = element("div", [
      button("A is better", "1", () => vote(first)),
      button("No difference", "2", () => vote("neither")),
      button("B is better", "3", () => vote(second)),
    ], { className: "choices" });
    const counted = element("p", `${at + 1} of ${state.asked.length}`, { className: "quiet" });
    const keys = element("p", "Keys: A, B, 1, 2 and 3.", { className: "quiet keys" });
    return [counted, text, both, choices, keys];
  }

  function results() {
    const trials = [...new Set(state.votes.map((one) => one.trial))].sort();
    const lines = trials.map((trial) => {
      const own = state.votes.filter((one) => one.trial === trial);
      const count = (choice) => own.filter((one) => one.choice === choice).length;
      return element("li", `${trial}: ${count("trial")} for it, ${count("base")} for the base, ${count("neither")} for neither`);
    });
    const file = JSON.stringify({ format, search, round: state.round, votes: state.votes }, null, 1);
    const name = `votes-${state.round}.json`;
    const address = URL.createObjectURL(new Blob([file], { type: "application/json" }));
    const download = button("Download votes", null, () => element("a", "", { href: address, download: name }).click());
    download.className = "main";
    return [
      element("p", "Your votes:"),
      element("ul", lines),
      element("div", [download, button("Another round", null, beginRound)], { className: "choices" }),
      element("p", [
        "Then add the file to the run: ", element("code", `python -m results.votes RUN ${name}`),
      ], { className: "quiet" }),
    ];
  }

  function render() {
    if (!state || !state.asked) {
      const start = button("Begin a round", null, beginRound);
      start.className = "main";
      place.replaceChildren(about, element("div", [start], { className: "choices" }));
    } else if (state.votes.length < state.asked.length) {
      place.replaceChildren(...question());
    } else {
      place.replaceChildren(...results());
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !place.contains(event.target)) return;
    const key = event.key.toUpperCase();
    const found = place.querySelector(`.play[data-voice="${CSS.escape(key)}"], button[data-key="${CSS.escape(key)}"]`);
    if (found) {
      event.preventDefault();
      found.click();
    }
  });
  render();
})();
