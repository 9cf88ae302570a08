const REQUIRED = "Please complete this required field.";

const empty = (value) =>
  value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length);

const CHECKS = {
  plain_text_input: (spec, value) =>
    value.length < (spec.min_length ?? 0) ? `Must be at least ${spec.min_length} characters.` : null,
  number_input: number,
  email_text_input: (spec, value) => (/^\S+@\S+\.\S+$/.test(value) ? null : "Must be a valid email address."),
  url_text_input: (spec, value) => (/^https?:\/\/\S+$/.test(value) ? null : "Must be a valid URL."),
};

function number(spec, value) {
  const given = Number(value);
  if (Number.isNaN(given)) return "Must be a number.";
  if (!spec.is_decimal_allowed && !Number.isInteger(given)) return "Must be a whole number.";
  if (spec.min_value !== undefined && given < Number(spec.min_value))
    return `Must be at least ${spec.min_value}.`;
  if (spec.max_value !== undefined && given > Number(spec.max_value))
    return `Must be at most ${spec.max_value}.`;
  return null;
}

// What Slack's own client refuses before it asks the app: {block_id: sentence}.
export function problems(blocks, form) {
  const inputs = blocks.filter((block) => block.type === "input");
  const found = inputs.map((block) => [
    block.block_id,
    problem(block, form.value(block.block_id, block.element.action_id)),
  ]);
  return Object.fromEntries(found.filter(([, words]) => words));
}

function problem(block, value) {
  if (empty(value) || (typeof value === "string" && !value.trim())) return block.optional ? null : REQUIRED;
  return CHECKS[block.element.type]?.(block.element, value) ?? null;
}
