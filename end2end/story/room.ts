// Room on purpose: an admin keeps a node's free memory back for the host, so that a growth there needs another node.
// This is Hostgrid's own setting, made in its own form; the next call of the answer gives the memory back.

import { expect } from '@playwright/test';
import type { Panel } from './panel';

const reserve = 'Memory kept for the host (MiB)';

/** Leaves the node no memory to give; answers what undoes it. */
export async function fillMemory(admin: Panel, node: string): Promise<() => Promise<void>> {
  const before = await reserved(admin, node);
  await setReserve(admin, node, String(10_000_000));
  return async () => setReserve(admin, node, before);
}

async function reserved(admin: Panel, node: string): Promise<string> {
  await admin.open(`/admin/nodes/${node}`);
  return admin.field(reserve).inputValue();
}

async function setReserve(admin: Panel, node: string, mib: string): Promise<void> {
  await admin.open(`/admin/nodes/${node}`);
  const field = admin.field(reserve);
  await field.fill(mib);
  await field.evaluate((input: HTMLInputElement) => input.form?.requestSubmit());
  await expect(async () => expect(await reserved(admin, node)).toBe(mib)).toPass({ timeout: 10_000 });
}
