// Conditions on what was sent, and what replies quote of it.
import { type MessagesRequest, firstUserText, lastResultOf, lastUserText, textOf, turnOf } from './conversation.js';
import { type Condition, patternOf } from './script.js';

/** Why a condition does not hold, or undefined when it does. */
export function unmet(condition: Condition, request: MessagesRequest): string | undefined {
  const texts: [string | undefined, string, string][] = [
    [condition.lastUserContains, lastUserText(request), 'the last user message'],
    [condition.systemContains, textOf(request.system), 'the system prompt'],
    [condition.anyMessageContains, request.messages.map((m) => textOf(m.content)).join('\n'), 'the conversation'],
  ];
  for (const [wanted, text, what] of texts) {
    if (wanted !== undefined && !contains(text, wanted)) return `${what} does not contain ${wanted}`;
  }
  const { toolResult } = condition;
  if (!toolResult) return undefined;
  const result = lastResultOf(request, toolResult.tool);
  if (!result) return `there is no result of ${toolResult.tool}`;
  if (toolResult.contains !== undefined && !contains(textOf(result['content']), toolResult.contains)) {
    return `the last result of ${toolResult.tool} does not contain ${toolResult.contains}`;
  }
  if (toolResult.isError !== undefined && (result['is_error'] === true) !== toolResult.isError) {
    return `the last result of ${toolResult.tool} has is_error ${String(result['is_error'] === true)}`;
  }
  return undefined;
}

function contains(text: string, wanted: string): boolean {
  return patternOf(wanted)?.test(text) ?? text.includes(wanted);
}

/** Fills `${turn}`, `${input}`, `${lastUserText}` and `${results.<tool>.<path>}` into every string of a value. */
export function filled(value: unknown, request: MessagesRequest): unknown {
  if (typeof value === 'string') {
    const whole = /^\$\{([^}]+)\}$/.exec(value);
    if (whole) return quoted(whole[1] as string, request) ?? value;
    return filledText(value, request);
  }
  if (Array.isArray(value)) return value.map((item) => filled(item, request));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, request)]));
}

/** Like `filled`, but always a text. */
export const filledText = (text: string, request: MessagesRequest): string =>
  text.replaceAll(/\$\{([^}]+)\}/g, (all, name: string) => {
    const found = quoted(name, request);
    return found === undefined ? all : typeof found === 'string' ? found : JSON.stringify(found);
  });

function quoted(name: string, request: MessagesRequest): unknown {
  if (name === 'turn') return turnOf(request);
  if (name === 'input') return firstUserText(request);
  if (name === 'lastUserText') return lastUserText(request);
  const [kind, tool, ...path] = name.split('.');
  if (kind !== 'results' || tool === undefined) return undefined;
  const text = textOf(lastResultOf(request, tool)?.['content']);
  if (path.length === 0) return text;
  try {
    return path.reduce<unknown>(
      (value, key) => (Object.hasOwn(value as object, key) ? (value as Record<string, unknown>)[key] : undefined),
      JSON.parse(text),
    );
  } catch {
    return undefined;
  }
}
