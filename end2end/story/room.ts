// Room on purpose: an admin keeps a node's memory back for the host, so that a growth there needs another node.
// This is Hostgrid's own setting, made in its own form; the answer gives the memory back.

import { expect } from '@playwright/test';
import type { Panel } from './panel';

const label = 'Reserve memory (MiB)';

/** Leaves the node no memory to give; answers what undoes it. */
export async function fillMemory(admin: Panel, node: string): Promise<() => Promise<void>> {
  const before = await reserve(admin, node);
  await setReserve(admin, node, '10000000');
  return () => setReserve(admin, node, before);
}

async function reserve(admin: Panel, node: string): Promise<string> {
  await admin.open(`/admin/nodes/${node}`);
  return admin.field(label).inputValue();
}

async function setReserve(admin: Panel, node: string, mib: string): Promise<void> {
  await admin.open(`/admin/nodes/${node}`);
  await admin.field(label).fill(mib);
  await admin.button('Save').click();
  await expect.poll(() => reserve(admin, node), { timeout: 15_000 }).toBe(mib);
}
