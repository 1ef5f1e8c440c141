import { join } from 'node:path'
import { ROOT, StepError, say } from './command.mjs'
import { installRequirements } from './virtual-env.mjs'

/** The environment of the tools that the benchmarks compare with; bench/peers.ts runs them from here. */
const PEERS = join(ROOT, '.work', 'peers')

/** Installs the peers; where that is not possible, says so: the benchmarks then leave their rows out. */
export async function installPeers() {
  try {
    const file = join(ROOT, 'bench', 'peers', 'requirements.txt')
    await installRequirements(file, 'the peers to compare with (huggingface_hub, aria2)', PEERS)
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    say(`the peers are left out. ${error.message}`)
  }
}
