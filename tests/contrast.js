() => {
  // The words on the page that are hard to read: each with its contrast (WCAG 2, 4.5 wanted, 3 where they are large).
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  function rgba(colour) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return { parts: [red, green, blue], alpha: alpha / 255 };
  }

  function over(top, below) {
    return top.parts.map((part, index) => part * top.alpha + below[index] * (1 - top.alpha));
  }

  // The first colour of a gradient stands for all of it.
  function paint(node) {
    const { backgroundColor, backgroundImage } = getComputedStyle(node);
    const stop = /(?:rgba?|color)\([^()]*\)/.exec(backgroundImage)?.[0];
    return rgba(stop ?? backgroundColor);
  }

  function ground(node) {
    if (!node) return [255, 255, 255];
    const own = paint(node);
    return own.alpha === 1 ? own.parts : over(own, ground(node.parentElement));
  }

  function luminance(parts) {
    const [red, green, blue] = parts
      .map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  function ratio(one, other) {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  }

  function faded(node) {
    let alpha = 1;
    for (let up = node; up; up = up.parentElement) alpha *= Number(getComputedStyle(up).opacity);
    return alpha;
  }

  function measure(node, words, colour) {
    const below = ground(node);
    const { parts, alpha } = rgba(colour);
    const seen = over({ parts, alpha: alpha * faded(node) }, below);
    const { fontSize, fontWeight } = getComputedStyle(node);
    const large = parseFloat(fontSize) >= 24 || (parseFloat(fontSize) >= 18.5 && Number(fontWeight) >= 700);
    return { words, ratio: ratio(seen, below), wanted: large ? 3 : 4.5, node };
  }

  function texts() {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const words = walker.currentNode.data.trim();
      const node = walker.currentNode.parentElement;
      // An emoji has colours of its own, a face stands beside its name, and what cannot be pressed may be pale.
      const skipped = ".emoji, .avatar, .unseen, noscript, script, style, :disabled, [inert] *, [aria-busy=true]";
      if (!/[\p{L}\p{N}]/u.test(words) || node.closest(skipped)) continue;
      if (!node.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      const { color, fill } = getComputedStyle(node);
      found.push(measure(node, words, node instanceof SVGElement ? fill : color));
    }
    for (const field of document.querySelectorAll(":is(input, textarea):not([type=checkbox], [type=radio])")) {
      if (!field.checkVisibility()) continue;
      found.push(measure(field, field.value || "typed", getComputedStyle(field).color));
      found.push(measure(field, field.placeholder || "hint", getComputedStyle(field, "::placeholder").color));
    }
    return found;
  }

  return texts()
    .filter(({ ratio: found, wanted }) => found < wanted)
    .map(({ words, ratio: found, node }) => `${found.toFixed(1)} ${node.className?.baseVal ?? node.className}: ${words.slice(0, 60)}`);
}
