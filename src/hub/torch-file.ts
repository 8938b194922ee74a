// State dicts saved by `torch.save` (`pytorch_model.bin`), read without running any of the Python in them.
import { CheckpointError, type CheckpointIssue } from "../errors.ts";
import {
  allocate,
  type DType,
  elementBytes,
  elementCount,
  entryOf,
  type Files,
  parentFolder,
  type Weight,
  type Weights,
} from "../tensor/index.ts";
import { numbersOf } from "./bytes.ts";
import { issueList } from "./issues.ts";
import { type PickledDict, type PickledTensor, unpickle } from "./pickle.ts";
import { pythonCommand, pythonText } from "./shell.ts";
import { fileWeight, resolvedFile, spanBytes } from "./span.ts";
import { type ZipMember, zipMembers } from "./zip.ts";

/** A command that writes an old file anew, with all that it holds. */
function savedAgain(path: string): string {
  const file = pythonText(path);
  return pythonCommand(`import torch; torch.save(torch.load(${file}, map_location='cpu'), ${file})`);
}

const DTYPE_OF: Readonly<Record<string, DType>> = {
  FloatStorage: "float32",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  DoubleStorage: "float64",
  LongStorage: "int64",
  IntStorage: "int32",
  ShortStorage: "int16",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
};

/**
 * The tensors of a file written by `torch.save(state_dict)`. Row-major tensors have a `span`, others are put in order
 * when they are read. `convert` is a command that makes a file of today's format of an old one; by default one that writes it anew.
 * @throws {CheckpointError} when the file is damaged or holds anything but a state dict; nothing in it is executed.
 */
export async function openTorchFile(
  files: Files,
  path: string,
  fileBytes: number,
  convert: string = savedAgain(path),
): Promise<Weights> {
  const start = await files.readRange(path, 0, Math.min(4, fileBytes));
  if (start[0] !== 0x50 || start[1] !== 0x4b) {
    const hint = `torch before 1.6 wrote such files. Write it anew: ${convert}`;
    throw refused(path, "a zip archive", "an older or unknown format", hint);
  }
  const members = await zipMembers(files, path, fileBytes);
  const root = [...members.keys()].find((name) => name.endsWith("/data.pkl"))?.replace(/data\.pkl$/, "");
  if (root === undefined) throw refused(path, "data.pkl", "an archive without it");
  const read = ({ byteOffset, byteLength }: ZipMember) => files.readRange(path, byteOffset, byteLength);
  const order = members.get(`${root}byteorder`);
  const endian = order === undefined ? "little" : new TextDecoder().decode(await read(order));
  if (endian !== "little") throw refused(path, "little-endian numbers", endian);
  const tensors = stateDict(path, await read(members.get(`${root}data.pkl`)!));
  const place = await resolvedFile(files, path);
  const weights = new Map<string, Weight>();
  const issues: CheckpointIssue[] = [];
  for (const [name, tensor] of tensors) {
    const member = members.get(`${root}data/${tensor.storage.key}`);
    const issue = unfit(name, tensor, member);
    if (issue) issues.push(issue);
    else weights.set(name, storedWeight(files, { ...place, ...member! }, tensor));
  }
  if (issues.length > 0) throw new CheckpointError(path, issueList(issues), { hint: stateDictHint(path) });
  return weights;
}

function refused(path: string, expected: string, got: string, hint = stateDictHint(path)): CheckpointError {
  return new CheckpointError(path, [{ name: "torch file", expected, got }], { hint });
}

/** What to do about a file of other things than tensors. */
function stateDictHint(path: string): string {
  return `Only files of tensors by name are read. Where the model is open in Python: torch.save(model.state_dict(), ${pythonText(path)}), or model.save_pretrained(${pythonText(parentFolder(path))}).`;
}

/** A command that writes the tensors which lie under a key of a larger file beside it, as safetensors. */
function partHint(path: string, key: string): string {
  const file = path.replace(/[^/]*$/, (name) => (name.startsWith("adapter") ? "adapter_model" : "model"));
  const code = `import torch; from safetensors.torch import save_file; t = torch.load(${pythonText(path)}, map_location='cpu')[${pythonText(key)}]; save_file({k: v.clone().contiguous() for k, v in t.items()}, ${pythonText(`${file}.safetensors`)}, {'format': 'pt'})`;
  return `The tensors lie under ${JSON.stringify(key)}. Take them out: ${pythonCommand(code)}`;
}

function stateDict(path: string, pickle: Uint8Array): [string, PickledTensor][] {
  let root: unknown;
  try {
    root = unpickle(pickle);
  } catch (cause) {
    if (!(cause instanceof CheckpointError)) throw cause;
    throw new CheckpointError(path, cause.issues, { hint: stateDictHint(path), cause });
  }
  if (!(root instanceof Map)) throw refused(path, "a state dict", "another object");
  const entries: [string, PickledTensor][] = [];
  for (const [name, value] of root as PickledDict) {
    if (typeof name !== "string" || !isTensor(value)) {
      // a name that is no text may be nested lists, whose text is longer than any memory
      const got = `something else under ${typeof name === "string" ? JSON.stringify(name.slice(0, 80)) : "a name that is no text"}`;
      const key = keyOfTensors(root as PickledDict);
      throw refused(path, "a tensor under each name", got, key === null ? stateDictHint(path) : partHint(path, key));
    }
    entries.push([name, value]);
  }
  return entries;
}

/** The key of a file's only dict of tensors, as training frameworks store it beside their own state. */
function keyOfTensors(root: PickledDict): string | null {
  const keys = [...root].flatMap(([key, value]) =>
    typeof key === "string" && value instanceof Map && value.size > 0 && [...value.values()].every(isTensor)
      ? [key]
      : [],
  );
  return keys.length === 1 ? keys[0]! : null;
}

function isTensor(value: unknown): value is PickledTensor {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "tensor";
}

function unfit(name: string, tensor: PickledTensor, member: ZipMember | undefined): CheckpointIssue | undefined {
  const { storage, shape, strides, offset } = tensor;
  const dtype = entryOf(DTYPE_OF, storage.type);
  if (dtype === undefined) return { name, expected: `one of ${Object.keys(DTYPE_OF).join(", ")}`, got: storage.type };
  if (member === undefined) return { name, expected: `numbers under data/${storage.key}`, got: "none" };
  const last = shape.includes(0) ? -1 : shape.reduce((sum, dim, axis) => sum + (dim - 1) * strides[axis]!, offset);
  const needed = Math.max(storage.length, last + 1) * elementBytes(dtype);
  // stride 0 repeats numbers, so a shape could be far larger than its file
  if (elementCount(shape) > storage.length || needed > member.byteLength || last + 1 > storage.length) {
    return { name, expected: `at least ${needed} bytes for [${shape.join(", ")}]`, got: `${member.byteLength}` };
  }
  return undefined;
}

function storedWeight(
  files: Files,
  member: ZipMember & { folder: string; name: string },
  { storage, shape, strides, offset }: PickledTensor,
): Weight {
  const dtype = DTYPE_OF[storage.type]!;
  const width = elementBytes(dtype);
  const rowMajor = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  if (elementCount(shape) === 0 || shape.every((dim, axis) => dim === 1 || strides[axis] === rowMajor[axis])) {
    const span = { byteOffset: member.byteOffset + offset * width, byteLength: elementCount(shape) * width };
    return fileWeight(files, dtype, shape, { folder: member.folder, name: member.name, ...span });
  }
  return {
    dtype,
    shape,
    async read() {
      const span = { ...member, byteLength: storage.length * width };
      const stored = numbersOf(dtype, [storage.length], await spanBytes(files, span));
      const data = allocate(dtype, elementCount(shape));
      for (let i = 0; i < data.length; i++) {
        let at = offset;
        for (let axis = 0, rest = i; axis < shape.length; axis++) {
          at += Math.floor(rest / rowMajor[axis]!) * strides[axis]!;
          rest %= rowMajor[axis]!;
        }
        data[i] = stored[at]!;
      }
      return { dtype, shape, data };
    },
  };
}
