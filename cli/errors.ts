// What ends a command without its result: a mistake in how it was called, or a problem that the service answered.

/** A message for the person who typed the command. Ends it with exit code 1. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail?: string | undefined;
  requestId?: string | undefined;
  errors?: { path: string; message: string; line?: number | undefined; column?: number | undefined }[] | undefined;
  [member: string]: unknown;
}

/** An application/problem+json answer. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  constructor(readonly problem: ProblemBody) {
    super(problem.detail ?? problem.title);
  }

  /** The stable last part of `type`, such as `already-decided`. */
  get code(): string {
    return this.problem.type.split('/').at(-1) ?? '';
  }
}

/** Nobody listens at the address, or the connection broke. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

export function renderError(err: unknown, json: boolean): string {
  if (err instanceof ProblemError) {
    return json ? `${JSON.stringify(err.problem)}\n` : `${problemLines(err.problem).join('\n')}\n`;
  }
  const message = err instanceof Error ? err.message : String(err);
  return json ? `${JSON.stringify({ error: message })}\n` : `error: ${message}\n`;
}

function problemLines({ title, status, detail, errors, requestId }: ProblemBody): string[] {
  const fields = (errors ?? []).map(({ path, message, line, column }) => {
    const place = line === undefined ? '' : `line ${line}${column === undefined ? '' : `:${column}`}  `;
    return `  ${place}${path === '' ? '' : `${path}: `}${message}`;
  });
  // The detail often repeats the fields in one line; then the lines below say it better.
  const repeated = fields.length > 0 && (errors ?? []).every(({ message }) => detail?.includes(message));
  return [
    `error: ${title} (${status})`,
    ...(detail === undefined || repeated ? [] : detail.split('\n').map((line) => `  ${line}`)),
    ...fields,
    ...(requestId === undefined ? [] : [`  request ${requestId}`]),
  ];
}
