// Which statements a connection has prepared: each text is parsed, planned and described once.
import pg, { type FieldDef } from 'pg';

/** Texts are constants of db/. Should somebody build them from data, the server does not keep more than this of them. */
const MAX_PREPARED = 500;

const names = new Map<string, string>();

/** The same name for the same text, or the unnamed statement when there are too many. */
function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  if (names.size >= MAX_PREPARED) return '';
  const name = `s${names.size}`;
  names.set(text, name);
  return name;
}

export interface Column {
  name: string;
  parse(this: void, text: string): unknown;
}

interface Prepared {
  name: string;
  /** Not known before the first answer. */
  columns: Column[] | undefined;
  /** It was part of something that failed: the server may have it or not. */
  isDoubtful: boolean;
}

export interface Use {
  name: string;
  parse: boolean;
  describe: boolean;
  /** What the server may have under this name is dropped first; dropping nothing is no error. */
  close: boolean;
}

export class Preparations {
  private readonly byText = new Map<string, Prepared>();

  /** What must be sent to run a text; assumes that it is. */
  use(text: string): Use {
    const known = this.byText.get(text);
    if (known) {
      const { name, columns, isDoubtful } = known;
      known.isDoubtful = false;
      return { name, parse: isDoubtful, close: isDoubtful, describe: columns === undefined };
    }
    const name = nameOf(text);
    if (name !== '') this.byText.set(text, { name, columns: undefined, isDoubtful: false });
    return { name, parse: true, close: false, describe: true };
  }

  columnsOf(text: string): Column[] | undefined {
    return this.byText.get(text)?.columns;
  }

  succeeded(text: string, columns: Column[]): void {
    const known = this.byText.get(text);
    if (known) known.columns = columns;
  }

  failed(text: string): void {
    const known = this.byText.get(text);
    if (!known) return;
    known.isDoubtful = true;
    known.columns = undefined;
  }
}

export const columnsOf = (fields: readonly FieldDef[]): Column[] =>
  fields.map(({ name, dataTypeID }) => ({
    name,
    parse: pg.types.getTypeParser(dataTypeID, 'text') as Column['parse'],
  }));
