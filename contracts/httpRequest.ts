// What the built-in tool http_request may ask: rules of the agent file, as a worker reads them.
import { z } from 'zod';
import { headersWithSecrets } from './secrets.js';

export const httpMethod = z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);
export type HttpMethod = z.infer<typeof httpMethod>;

/** https://api.example.com/v1/, https://*.example.com, http://127.0.0.1:9000 */
const allowedUrl = z
  .string()
  .max(1000)
  .regex(
    /^https?:\/\/(\*\.)?([a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(:[1-9]\d{0,4})?(\/[^\s?#\\]*)?$/,
    'an address such as https://api.example.com/v1 or https://*.example.com: scheme, host in lower case, port, beginning of the path',
  );

/** Requests that may be sent, and what the worker adds to them. */
export const httpRule = z.strictObject({
  /** Everything with this scheme, host and port whose path begins so. */
  url: allowedUrl,
  methods: z.array(httpMethod).min(1).default(['GET', 'HEAD']),
  /** Put in by the worker; the model can neither see nor replace them. */
  headers: headersWithSecrets.optional(),
  /** May the host be this machine or of a private network? Link-local and metadata addresses never may. */
  private: z.boolean().default(false),
});
export type HttpRule = z.infer<typeof httpRule>;

export const httpRequestSettings = z.object({
  allow: z.array(httpRule).min(1),
  maxRedirects: z.number().int().min(0),
  maxResponseBytes: z.number().int().positive(),
});
export type HttpRequestSettings = z.infer<typeof httpRequestSettings>;

export const httpRequestDefaults = { maxRedirects: 5, maxResponseBytes: 1_048_576 } as const;
export const READING: readonly HttpMethod[] = ['GET', 'HEAD'];
