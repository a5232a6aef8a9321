// Logs: one JSON object a line. Keys, secrets and message texts never stand in them.
import pino, { type DestinationStream, type Logger } from 'pino';
import type { Redactor } from '../harness/redaction/redactor.js';

export function createLogger(name: string, level: string, redactor?: Redactor, to?: DestinationStream): Logger {
  const output = to ?? pino.destination({ dest: 1, sync: true });
  return pino(
    {
      name,
      level,
      redact: { paths: ['req.headers.authorization', 'headers.authorization', '*.apiKey'], censor: '(redacted)' },
    },
    redactor ? { write: (line: string) => output.write(cleaned(line, redactor)) } : output,
  );
}

function cleaned(line: string, redactor: Redactor): string {
  if (redactor.find(line).length === 0) return line;
  try {
    const { value } = redactor.json(JSON.parse(line) as unknown);
    const text = JSON.stringify(value);
    // Over several fields with others between them: the line is not worth the secret.
    return redactor.find(text).length === 0 ? `${text}\n` : `${redactor.text(line.trimEnd()).value}\n`;
  } catch {
    return `${redactor.text(line.trimEnd()).value}\n`;
  }
}
