// Elements without markup in strings: whatever a name holds, it is text.

/** h("p", {class: "note", title: "…"}, "text", element, …) */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

export function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Touches the page only where something has changed. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/**
 * Makes the children of `parent` those of `items`, in their order: keeps what is there, moves what has another place.
 * `make(item)` gives {element, update(item)}; `nodes` maps keys to them, and is kept by the caller.
 */
export function reconcile(parent, nodes, items, keyOf, make) {
  const wanted = new Set();
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    wanted.add(key);
    let node = nodes.get(key);
    if (!node) nodes.set(key, (node = make(item)));
    node.update(item);
    if (node.element === next) next = next.nextElementSibling;
    else parent.insertBefore(node.element, next);
  }
  for (const [key, node] of nodes) {
    if (wanted.has(key)) continue;
    node.element.remove();
    nodes.delete(key);
  }
}
