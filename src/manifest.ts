import type { ErrorCode } from './errors.js'

/** Digest of a file, as the endpoint announced it. */
export interface Digest {
  /** `sha256` of the bytes, or `git-sha1` of a git blob (small files). */
  algorithm: 'sha256' | 'git-sha1'
  /** Lower-case hexadecimal. */
  value: string
}

/** One file of a repository. */
export interface FileInfo {
  /** Path within the repository, with `/`. */
  path: string
  /** Bytes. */
  size: number
  digest: Digest
  /** What the file is for: `weights`, `external-data`, `tokenizer`, `config`, `projector`, `draft`, `imatrix`, ... */
  role: string
  /** Whether all its bytes are in the store. */
  stored: boolean
}

/** One quantization variant of a repository: everything an engine needs to load it. */
export interface Quant {
  /** As tools of its format call it: `q4f16`, `Q4_K_M`, `bf16`, ...; `format:name` where formats collide. */
  name: string
  format: 'onnx' | 'gguf' | 'safetensors' | 'openvino' | 'pytorch' | 'other'
  /** `downloading` only while some process does it; an interrupted one is `available` with `downloaded` above 0. */
  status: 'available' | 'downloading' | 'downloaded' | 'failed'
  /** Everything this quant needs, shared files included. A file of several quants is the same object in all of them. */
  files: FileInfo[]
  /** Bytes of all its files. */
  size: number
  /** Bytes of them that are stored; while a process downloads, the bytes it has, which may not be durable yet. */
  downloaded: number
  /** Why the last download failed; only with status `failed`. */
  error?: { code: ErrorCode; message: string }
  updatedAt: Date
}

/** What is known of one revision of a repository. */
export interface Manifest {
  /** The name the endpoint gives it, which may differ in case from the one asked for. */
  repo: string
  /** Branch, tag or commit that was asked for. */
  revision: string
  /** The commit it stood for; files are always those of one commit. */
  commit: string
  /** Such as `feature-extraction`. */
  pipelineTask?: string
  /** Such as `transformers.js`. */
  libraryName?: string
  license?: string
  tags: string[]
  /** Whether access must be asked for at the endpoint. */
  gated: boolean
  /** Whether the endpoint could not be asked: this is the last known state, or what an import found. */
  stale: boolean
  scannedAt: Date
  /** By name; the look-up of the calls ignores case. */
  quants: Record<string, Quant>
  /** Files that every quant needs. */
  sharedFiles: FileInfo[]
}

/** A manifest as the addon writes it: with each file once, quants in order, and milliseconds since 1970 instead of dates. */
export interface ManifestDocument extends Omit<Manifest, 'scannedAt' | 'quants' | 'sharedFiles'> {
  scannedAt: number
  quants: QuantDocument[]
  sharedFiles: Runs
  files: FilesDocument
}

interface QuantDocument extends Omit<Quant, 'files' | 'updatedAt'> {
  files: Runs
  updatedAt: number
}

/** Places among the files of a document: first place and length of each run of neighbours, one after the other. */
type Runs = number[]

/** The files of a document as columns: their objects are made here many times faster than they are read one by one. */
interface FilesDocument {
  paths: string[]
  sizes: number[]
  /** The length tells the algorithm. */
  digests: string[]
  roles: string[]
  /** Places in `roles`. */
  role: number[]
  /** A letter for each file: `1` for a stored one. */
  stored: string
}

const SHA256_DIGITS = 64

/** The manifest in a text of the addon. */
export function toManifest(text: string): Manifest {
  const { scannedAt, quants, files: columns, sharedFiles, ...rest } = JSON.parse(text) as ManifestDocument
  const files = toFiles(columns)
  return {
    ...rest,
    sharedFiles: chosen(sharedFiles, files),
    scannedAt: new Date(scannedAt),
    quants: Object.fromEntries(quants.map((quant) => [quant.name, toQuant(quant, files)])),
  }
}

function toFiles({ paths, sizes, digests, roles, role, stored }: FilesDocument): FileInfo[] {
  return paths.map((path, place) => ({
    path,
    size: sizes[place] as number,
    digest: toDigest(digests[place] as string),
    role: roles[role[place] as number] as string,
    stored: stored[place] === '1',
  }))
}

function toDigest(value: string): Digest {
  return { algorithm: value.length === SHA256_DIGITS ? 'sha256' : 'git-sha1', value }
}

/** The same object: copies of all quants would take as long as reading their files. */
function toQuant(document: QuantDocument, files: readonly FileInfo[]): Quant {
  return Object.assign(document, {
    files: chosen(document.files, files),
    updatedAt: new Date(document.updatedAt),
  })
}

/** The files at these places. */
function chosen(runs: Runs, files: readonly FileInfo[]): FileInfo[] {
  const found: FileInfo[] = []
  for (let run = 0; run < runs.length; run += 2) {
    const first = runs[run] as number
    const end = first + (runs[run + 1] as number)
    for (let place = first; place < end; place += 1) found.push(files[place] as FileInfo)
  }
  return found
}
