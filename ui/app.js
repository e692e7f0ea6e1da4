// Keeps the overview and the routes' standing up to date, as the live feed brings them. Every text goes in
// as text, never as markup. Without this script the page is the same, and stands still.
"use strict";

(() => {
  const rows = document.querySelector("[data-live-rows]");
  const standing = document.querySelector("[data-standing]");
  if ((!rows && !standing) || !("EventSource" in window)) return;

  const NOTHING = "—";
  const ROWS_MAX = 30;
  const LATE = 10000;
  const sign = document.querySelector("[data-live-state]");

  const say = (text, look) => {
    if (!sign) return;
    sign.textContent = text;
    sign.classList.toggle("on", look === "on");
    sign.classList.toggle("off", look === "off");
  };

  const thousands = (count) => String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");
  const digits = (value) => {
    if (value >= 99.95) return thousands(value);
    if (value > 0 && value < 0.0001) return "<0.0001";
    if (value > 0 && value < 0.09995) return value.toPrecision(3);
    return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
  };
  const span = (nanos) => {
    if (nanos < 999.5e3) return `${digits(nanos / 1e3)} µs`;
    if (nanos < 999.5e6) return `${digits(nanos / 1e6)} ms`;
    return `${digits(nanos / 1e9)} s`;
  };
  const length = (seconds) => {
    if (seconds >= 172800) return `${Math.floor(seconds / 86400)} d`;
    if (seconds >= 7200) return `${Math.floor(seconds / 3600)} h`;
    return seconds >= 120 ? `${Math.floor(seconds / 60)} min` : `${seconds} s`;
  };
  const percent = (fraction) => {
    if (fraction === null) return NOTHING;
    const value = fraction * 100;
    if (value === 0) return "0 %";
    if (value < 0.01) return "<0.01 %";
    if (value < 9.995) return `${value.toFixed(2)} %`;
    if (value > 99.95 && value < 100) return ">99.9 %";
    return value >= 100 ? "100 %" : `${value.toFixed(1)} %`;
  };
  const dollars = (amount) => {
    if (amount === null) return NOTHING;
    if (amount === 0) return "$0";
    if (amount < 0.000001) return "<$0.000001";
    if (amount < 0.01) return `$${amount.toFixed(6)}`;
    if (amount < 1) return `$${amount.toFixed(4)}`;
    return amount < 1000 ? `$${amount.toFixed(2)}` : `$${thousands(amount)}`;
  };
  const figure = (number, unit) => {
    if (number.value !== null) return span(number.value * unit);
    if (number.has === 0) return NOTHING;
    return number.needs ? `${number.has} of ${number.needs}` : "∞";
  };
  const orNothing = (value, write) => (value === null ? NOTHING : write(value));

  const set = (name, value, detail) => {
    const field = document.querySelector(`[data-field="${name}"]`);
    if (field && field.textContent !== value) field.textContent = value;
    const beside = document.querySelector(`[data-detail="${name}"]`);
    if (beside && detail !== undefined && beside.textContent !== detail) beside.textContent = detail;
  };

  const overview = (now) => {
    set("in_flight", thousands(now.in_flight));
    set("requests_per_minute", thousands(now.requests_per_minute));
    set("failure_rate", percent(now.failure_rate.value), `${now.failure_rate.part} of ${now.failure_rate.whole}`);
    set("first_token", figure(now.first_token_ms.p50, 1e6));
    set("own_delay", figure(now.own_delay_us.p50, 1e3));
    set("store", now.store.state, `${now.store.queue} waiting`);
    set("uptime", length(now.uptime_seconds));
  };

  // What steers a terminal or reorders a line is taken out, as on the pages written by the server.
  const plain = (text) =>
    text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, "\ufffd");

  const element = (name, className, ...children) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...children);
    return made;
  };

  const badge = (origin) => {
    if (origin === "live" || origin === rows.dataset.usual) return [];
    const simulated = origin === "demo";
    return [element("span", simulated ? "badge simulated" : "badge", simulated ? "simulated" : origin)];
  };

  const outcome = (item) => {
    const look = item.outcome === "ok" ? "good" : item.failed ? "bad" : "fair";
    const parts = [element("span", `outcome ${look}`, item.outcome)];
    if (item.error_class) parts.push(" ", element("span", "detail", item.error_class));
    if (item.attempts > 1) parts.push(" ", element("span", "detail", `${item.attempts} attempts`));
    return parts;
  };

  const route = (item) => {
    if (item.provider === null) return [NOTHING];
    const parts = [plain(item.provider)];
    if (item.route_model !== null && item.route_model !== item.model) {
      parts.push(" ", element("span", "detail", plain(item.route_model)));
    }
    return parts;
  };

  // Stands in for the column of routes on narrow screens.
  const via = (item) =>
    item.provider === null ? [] : [" ", element("span", "detail narrow", `via ${plain(item.provider)}`)];

  const row = (item) => {
    const link = element("a", "", element("time", "", item.started.slice(11, 19)));
    link.href = `/exchanges/${encodeURIComponent(item.id)}`;
    link.firstChild.dateTime = item.started;
    const made = element(
      "tr",
      "fresh",
      element("td", "", link),
      element("td", "name", item.model === null ? NOTHING : plain(item.model), ...badge(item.origin), ...via(item)),
      element("td", "name wide", ...route(item)),
      element("td", "", ...outcome(item)),
      element("td", "number", orNothing(item.first_token_ms, (ms) => span(ms * 1e6))),
      element("td", "number", orNothing(item.total_ms, (ms) => span(ms * 1e6))),
      element("td", "number wide", orNothing(item.output_rate, digits)),
      element("td", "number wide", orNothing(item.tokens_input, thousands)),
      element("td", "number wide", orNothing(item.tokens_output, thousands)),
      element("td", "number wide", dollars(item.cost_usd)),
    );
    made.dataset.id = item.id;
    return made;
  };

  const exchanges = (items) => {
    document.querySelector("[data-empty]")?.remove();
    for (const item of items) {
      // Rows that the server wrote and the feed brings once more stay as they are.
      if (rows.querySelector(`a[href$="/${CSS.escape(item.id)}"]`)) continue;
      rows.prepend(row(item));
    }
    // A row that has the focus is not taken from under its reader.
    while (rows.rows.length > ROWS_MAX && !rows.lastElementChild.contains(document.activeElement)) {
      rows.lastElementChild.remove();
    }
  };

  // The server says how the routes stand in words; here they only go to their places.
  const places = new Map();
  for (const place of document.querySelectorAll("[data-said]")) places.set(place.dataset.said, place);
  const put = (key, text) => {
    const place = places.get(key);
    if (place && place.textContent !== text) place.textContent = text;
    return place;
  };
  const FIELDS = ["detail", "first_token", "spread", "success", "samples", "at_work", "used", "meters", "chance", "place"];
  const stands = (group, route) => {
    const at = (field) => `${group} ${route.provider}/${route.model} ${field}`;
    const state = put(at("state"), route.state);
    if (!state) return false;
    const look = `outcome ${route.look}`;
    if (state.className !== look) state.className = look;
    for (const field of FIELDS) put(at(field), route[field]);
    for (const key of route.keys) {
      const state = put(at(`${key.name} state`), key.state);
      if (!state) return false;
      state.className = `outcome ${key.look}`;
      put(at(`${key.name} detail`), key.detail);
    }
    document.querySelector(`[data-said-row="${CSS.escape(at("row"))}"]`)?.classList.toggle("chosen", route.first);
    return true;
  };
  const told = (now) => {
    put("spent", now.spent);
    let all = true;
    for (const model of now.models) {
      put(`${model.name} policy`, model.policy);
      put(`${model.name} choice`, model.choice);
      for (const route of model.routes) all = stands(model.name, route) && all;
    }
    for (const route of now.others) all = stands("others", route) && all;
    if (!all) say("live · more routes: reload", "on");
  };

  let heard = Date.now();
  const feed = new EventSource(standing ? "/api/live?standing=1" : "/api/live");
  feed.addEventListener("open", () => say("live", "on"));
  feed.addEventListener("error", () => say("reconnecting", "off"));
  feed.addEventListener("overview", (event) => {
    heard = Date.now();
    say("live", "on");
    overview(JSON.parse(event.data));
  });
  if (standing) feed.addEventListener("standing", (event) => told(JSON.parse(event.data)));
  if (rows) feed.addEventListener("exchanges", (event) => exchanges(JSON.parse(event.data)));
  setInterval(() => {
    if (Date.now() - heard > LATE) say("no news", "off");
  }, LATE / 2);
  addEventListener("pagehide", () => feed.close());
})();

// Keeps a run that goes on up to date; once it has ended, its page is shown as the server writes it.
(() => {
  const run = document.querySelector("[data-run]");
  if (!run) return;
  const bar = run.querySelector("progress");
  const says = run.querySelector("[data-run-says]");
  const address = `/api/runs/${encodeURIComponent(run.dataset.run)}`;
  let silent = 0;
  const look = async () => {
    try {
      const answer = await fetch(address, { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const now = await answer.json();
      silent = 0;
      if (!now.going) {
        location.assign(`/runs/${encodeURIComponent(now.run)}`);
        return;
      }
      bar.max = Math.max(now.of, 1);
      bar.value = now.done;
      const text = now.state === "stopping" ? `stopping: ${now.says}` : now.says;
      if (says.textContent !== text) says.textContent = text;
    } catch {
      silent += 1;
      if (silent > 3) says.textContent = "no news: reload the page";
    }
    setTimeout(look, 1000);
  };
  setTimeout(look, 300);
})();
