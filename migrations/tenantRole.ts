// The role that the API takes on for a tenant's request, and what it may do: read and write tables under row-level
// security, read the rest. Made at every migration, because roles belong to the cluster and not to the database.
import type { Client } from 'pg';

export const TENANT_ROLE = 'longhaul_tenant';

const RACED = ['42710', '23505']; // another database of the cluster was faster
const NOT_ALLOWED = '42501';

export async function provideTenantRole(client: Client): Promise<void> {
  try {
    await provide(client);
  } catch (err) {
    if ((err as { code?: string }).code !== NOT_ALLOWED) throw err;
    const { rows } = await client.query<{ user: string }>('SELECT quote_ident(current_user) AS user');
    throw new Error(
      `The database user may not make the role ${TENANT_ROLE}, which keeps tenants apart (row-level security): ` +
        `${(err as Error).message}. Let an administrator run once: CREATE ROLE ${TENANT_ROLE} NOLOGIN; ` +
        `GRANT ${TENANT_ROLE} TO ${rows[0]?.user};`,
      { cause: err },
    );
  }
}

async function provide(client: Client): Promise<void> {
  const { rows: roles } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [TENANT_ROLE]);
  if (roles.length === 0) {
    await client.query(`CREATE ROLE ${TENANT_ROLE} NOLOGIN`).catch((err: { code?: string }) => {
      if (!RACED.includes(err.code ?? '')) throw err;
    });
  }
  const { rows: member } = await client.query(`SELECT WHERE pg_has_role(current_user, $1, 'MEMBER')`, [TENANT_ROLE]);
  if (member.length === 0) await client.query(`GRANT ${TENANT_ROLE} TO CURRENT_USER`);
  // Of each table once, so that a start that has nothing to do changes nothing.
  const { rows: tables } = await client.query<{ name: string; walled: boolean }>(
    `SELECT format('%I.%I', relnamespace::regnamespace, relname) AS name, relrowsecurity AS walled
       FROM pg_class
      WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
        AND NOT has_table_privilege($1, oid, CASE WHEN relrowsecurity THEN 'INSERT' ELSE 'SELECT' END)`,
    [TENANT_ROLE],
  );
  for (const { name, walled } of tables) {
    await client.query(`GRANT ${walled ? 'SELECT, INSERT, UPDATE, DELETE' : 'SELECT'} ON ${name} TO ${TENANT_ROLE}`);
  }
}
