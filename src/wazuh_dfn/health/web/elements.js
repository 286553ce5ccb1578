// The document: texts are set as texts, never as markup, and only when they change, so that selections and screen readers are left in peace.

const element = (id) => document.getElementById(id);

function put(id, text, title = "") {
  const target = element(id);
  if (target.textContent !== text) target.textContent = text;
  if (target.title !== title) target.title = title;
}

function show(id, visible) {
  element(id).hidden = !visible;
}

// A text that is there only if there is something to say; `row`: with the term before it.
function putIfAny(id, text, row = false) {
  put(id, text ?? "");
  show(id, Boolean(text));
  if (row) element(id).previousElementSibling.hidden = !text;
}

// A word in a colour: "good", "warn", "bad" or "plain".
function tag(id, word, kind) {
  put(id, word);
  element(id).dataset.kind = kind;
  show(id, Boolean(word));
}

function make(name, {text, of = [], ...attributes} = {}) {
  return filled(document.createElement(name), text, of, attributes);
}

function drawn(name, {text, of = [], ...attributes} = {}) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), text, of, attributes);
}

function filled(target, text, children, attributes) {
  for (const [name, value] of Object.entries(attributes)) target.setAttribute(name, value);
  if (text !== undefined) target.textContent = text;
  target.append(...children);
  return target;
}

const lastFilling = new Map();

function fill(id, children) {
  const filling = children.map((child) => child.outerHTML).join("");
  if (lastFilling.get(id) === filling) return;
  lastFilling.set(id, filling);
  element(id).replaceChildren(...children);
}
