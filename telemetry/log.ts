// Logs: one JSON object a line. Keys and message texts never stand in them.
import pino, { type Logger } from 'pino';

export function createLogger(name: string, level: string): Logger {
  return pino({
    name,
    level,
    redact: { paths: ['req.headers.authorization', 'headers.authorization', '*.apiKey'], censor: '(redacted)' },
  });
}
