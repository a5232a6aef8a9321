// Where a script is wrong: the one place that its author must look at, also inside of "one of these" shapes.
import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

export function placeOf(error: z.ZodError, value: unknown): string {
  const { path, message } = deepest(error.issues[0] as Issue, value, []);
  return `${path.join('.') || 'script'}: ${message}`;
}

/** Of a union the first branch whose own keys are there is what the author meant. */
function deepest(
  issue: Issue,
  value: unknown,
  above: readonly PropertyKey[],
): { path: PropertyKey[]; message: string } {
  const path = [...above, ...issue.path];
  if (issue.code !== 'invalid_union') return { path, message: issue.message };
  const here = at(value, issue.path);
  const meant = issue.errors.find((branch) => branch.every((i) => !isMissingKey(i, here)));
  const [inner] = meant ?? [];
  return inner ? deepest(inner, here, path) : { path, message: issue.message };
}

const isMissingKey = (issue: Issue, value: unknown): boolean =>
  (issue.code === 'invalid_type' && issue.path.length === 0) ||
  (issue.path.length === 1 && at(value, issue.path) === undefined);

const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined | null)?.[key], value);
