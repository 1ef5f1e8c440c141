import { readFile } from 'node:fs/promises'

/**
 * What a repository says about itself besides its files: the optional JSON file `<root>/<owner>/<name>.json` beside
 * its folder, in the Hub's own words.
 */
export interface Settings {
  pipeline_tag?: string
  library_name?: string
  tags?: string[]
  license?: string
  /** `auto` or `manual`: everybody may list the files, only tokens in `allowed` may read them. */
  gated?: false | 'auto' | 'manual'
  /** To callers without a token in `allowed` the repository does not exist. */
  private?: boolean
  disabled?: boolean
  /** Tokens that may read this repository if it is gated or private. */
  allowed?: string[]
  /** Former names: requests for them are redirected here. */
  aliases?: string[]
  /** The `config` field of the model info, for example with `quantization_config`. */
  config?: object
  /** Branches besides `main`, and tags: name to folder, relative to the root. */
  branches?: Record<string, string>
  tagged?: Record<string, string>
  /** Paths kept in LFS, or in plain git, against the rule (over 10 MB or the name of a weight file: LFS). */
  lfs?: string[]
  git?: string[]
}

/** Reads a settings file; undefined if there is none. */
export async function readSettings(location: string): Promise<Settings | undefined> {
  try {
    return JSON.parse(await readFile(location, 'utf8')) as Settings
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
