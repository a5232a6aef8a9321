// What is used of WebAssembly. Its types come with a browser's, which this project does not have.

export interface WasmModule {
  readonly module: never;
}
export interface WasmMemory {
  readonly memory: never;
}

export const webAssembly = (
  globalThis as unknown as {
    WebAssembly: {
      Memory: new (size: { initial: number; maximum: number }) => WasmMemory;
      compile(bytes: Uint8Array): Promise<WasmModule>;
    };
  }
).WebAssembly;
