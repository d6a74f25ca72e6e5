// The same story on a simulated grid, by the same scripts: where it is asked for, and where there can be no nodes, as in an
// unprivileged container. Every page says so.

import type { Browser } from '@playwright/test';
import { found, type Lab } from '../story/lab';
import { Panel } from '../story/panel';
import { growths } from '../story/seeded';
import { SimulatedStory } from '../story/simulated';
import { expect, type Guard, test, window } from '../story/test';

const port = Number(process.env.PORT ?? 3252) + 3;

async function signedIn(browser: Browser, guard: Guard, lab: Lab, email: string): Promise<Panel> {
  const panel = new Panel(await window(browser, guard, lab.url), true);
  await panel.signIn(lab.user(email));
  await expect(panel.page.locator('[data-simulated]'), 'every page says so').toContainText(/simulated/i);
  return panel;
}

test('asked for by LAB=simulated: a VM moves to another node, and the dashboard follows', async ({ allow, browser, guard }) => {
  // Of pages that are still open when the story ends.
  allow(/net::ERR_/);
  const story = new SimulatedStory(port);
  try {
    await story.begin();
    expect(story.said()).toContain('The grid is simulated');
    const { lab } = story;
    expect(lab.simulated).toBe(true);
    const { name, plan, ...growth } = found(growths.find((growth) => growth.plan === 'move-live'), 'a live move');
    const { id, owner: email, node: source, size } = lab.vm(name);
    const destination = found(lab.others(source)[0], 'another node of its kind').name;
    const admin = await signedIn(browser, guard, lab, lab.admin.email);
    await admin.open('/admin');
    await expect(admin.page.locator('[data-simulated]')).toBeVisible();
    const row = (node: string) => admin.page.locator('main tr', { has: admin.page.locator(`a[href="/admin/nodes/${node}"]`) });
    const vms = (node: string) => row(node).locator('[data-label="VMs"]');
    const before = [Number(await vms(source).innerText()), Number(await vms(destination).innerText())] as const;

    const owner = await signedIn(browser, guard, lab, email);
    const asked = { ...size, vcpus: size.vcpus + growth.vcpus, memory_mib: size.memory_mib + growth.memory_mib };
    expect(await owner.preview(id, asked), await owner.said()).toBe(plan);
    await owner.agree();
    expect((await owner.outcome()).word, await owner.said()).toBe('Succeeded');
    await expect(owner.page.locator('[data-simulated]')).toBeVisible();
    expect(await owner.sizeOf(id)).toEqual(asked);

    // The page that stayed open.
    await expect(vms(source)).toHaveText(String(before[0] - 1));
    await expect(vms(destination)).toHaveText(String(before[1] + 1));
    await admin.open(`/admin/nodes/${destination}`);
    await expect(admin.page.locator(`section:has(h2:text-is("VMs on it")) a[href$="/vms/${id}"]`)).toBeVisible();
  } finally {
    await story.forget();
  }
});

test('without the right to make nodes the story is told on a simulated grid', async ({ browser, guard }) => {
  const story = new SimulatedStory(port, 'real', true);
  try {
    await story.begin();
    expect(story.said()).toMatch(/no libvirt nodes on this machine: .+\n.*telling the story on the simulated grid/);
    const { lab } = story;
    expect(lab.simulated).toBe(true);
    for (const { name, plan, ...growth } of growths) {
      const { id, owner, size } = lab.vm(name);
      const panel = await signedIn(browser, guard, lab, owner);
      const asked = { ...size, vcpus: size.vcpus + growth.vcpus, memory_mib: size.memory_mib + growth.memory_mib };
      expect(await panel.preview(id, asked), await panel.said()).toBe(plan);
      if (plan !== 'refused') {
        await panel.agree();
        expect((await panel.outcome()).word, await panel.said()).toBe('Succeeded');
        expect(await panel.sizeOf(id)).toEqual(asked);
      }
      await panel.page.context().close();
    }
  } finally {
    await story.forget();
  }
});
