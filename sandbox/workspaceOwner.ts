// Whom sandboxed commands run as. A worker that is root gives up its rights for them, so workspaces belong to another.

/** nobody */
const UNPRIVILEGED = { uid: 65_534, gid: 65_534 };

/** undefined: the worker's own user. */
export const workspaceOwner = (): { uid: number; gid: number } | undefined =>
  process.platform === 'linux' && process.getuid?.() === 0 ? UNPRIVILEGED : undefined;
