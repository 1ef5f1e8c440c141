// One process at a time sets up a clone: two at once would delete each other's node_modules.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ROOT, say } from './command.mjs'

const LOCK = join(ROOT, '.work', 'setup.lock')
const POLL = 200

/** How many steps of this process are under way: a step may contain others. */
let depth = 0

/** Runs a step of the setup while no other process runs one. */
export async function exclusively(step, lock = LOCK) {
  if (depth === 0) await acquire(lock)
  depth += 1
  try {
    return await step()
  } finally {
    depth -= 1
    if (depth === 0) rmSync(lock, { force: true })
  }
}

async function acquire(lock) {
  mkdirSync(dirname(lock), { recursive: true })
  let told
  while (!tryAcquire(lock)) {
    const holder = holderOf(lock)
    if (holder === undefined) continue
    if (!isAlive(holder)) {
      takeFrom(holder, lock)
      continue
    }
    if (told !== holder) say(`waiting for process ${holder}, which sets up this clone (its lock is ${lock})`)
    told = holder
    await setTimeout(POLL)
  }
}

/** A lock appears with its content or not at all. */
function tryAcquire(lock) {
  const own = `${lock}.${process.pid}`
  writeFileSync(own, String(process.pid))
  try {
    linkSync(own, lock)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    return false
  } finally {
    rmSync(own)
  }
}

/** The process that holds the lock, or undefined if it has just let go. */
function holderOf(lock) {
  try {
    return Number(readFileSync(lock, 'utf8'))
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    return undefined
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code !== 'ESRCH'
  }
}

/** Removes the lock of a process that was killed. Whoever was faster may hold a new one by now: that is put back. */
function takeFrom(dead, lock) {
  const taken = `${lock}.${process.pid}.taken`
  try {
    renameSync(lock, taken)
    if (holderOf(taken) !== dead) linkSync(taken, lock)
    rmSync(taken)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
}
