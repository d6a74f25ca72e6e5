// Hostgrid as one person sees it in one browser window: sign in, open a page, ask for a plan, agree, see the outcome.
//
// Everything goes through the labels and routes that people use. With scripts off the same words work by plain forms.

import { expect, type Locator, type Page } from '@playwright/test';
import { found, type LabUser, type Size } from './lab';

export type Plan =
  | 'in-place-live'
  | 'in-place-restart'
  | 'move-live'
  | 'move-live-restart'
  | 'move-cold'
  | 'make-room'
  | 'refused';

/** What an operation's page says of it, in figures; null where it isn't said. */
export interface Outcome {
  id: string;
  word: string;
  plan: string | null;
  durationMs: number | null;
  calledMs: number | null;
  downtimeMs: number | null;
  source: string | null;
  destination: string | null;
}

export class Panel {
  constructor(
    readonly page: Page,
    private readonly scripts: boolean,
  ) {}

  /** Opens a page and waits until it is alive; answers its HTTP status. */
  async open(path: string): Promise<number> {
    const response = await this.page.goto(path);
    await this.alive();
    return found(response, `an answer to ${path}`).status();
  }

  /** Waits until the scripts have taken the page over, where there are scripts. */
  async alive(): Promise<void> {
    await this.page.waitForLoadState('load');
    if (this.scripts) await this.page.locator('html[data-hydrated]').waitFor({ state: 'attached' });
  }

  async signIn(user: LabUser): Promise<void> {
    await this.open('/login');
    await this.fillSignIn(user.email, user.password);
    await this.page.waitForURL((url) => url.pathname !== '/login');
    await this.alive();
  }

  async fillSignIn(email: string, password: string): Promise<void> {
    await this.page.getByLabel('Email', { exact: true }).fill(email);
    await this.page.getByLabel('Password', { exact: true }).fill(password);
    await this.button('Sign in').click();
  }

  button(name: string): Locator {
    return this.page.getByRole('button', { name, exact: true });
  }

  field(label: string): Locator {
    return this.page.getByLabel(label, { exact: true });
  }

  /** The message about what was typed. */
  get problem(): Locator {
    return this.page.locator('[role=alert] p, [id$="-problems"] p').first();
  }

  get plan(): Locator {
    return this.page.locator('[data-plan]');
  }

  /** The size that the resize form stands at before anything is typed. */
  async sizeOf(vm: string): Promise<Size> {
    await this.open(`/vms/${vm}/resize`);
    const number = async (label: string) => Number(await this.field(label).inputValue());
    return {
      vcpus: await number('vCPUs'),
      memory_mib: await number('Memory (MiB)'),
      disk_gib: await number('Disk (GiB)'),
    };
  }

  /** Types a size into the form and asks for the plan. */
  async preview(vm: string, change: Partial<Size>): Promise<Plan> {
    await this.open(`/vms/${vm}/resize`);
    if (change.vcpus !== undefined) await this.field('vCPUs').fill(String(change.vcpus));
    if (change.memory_mib !== undefined) await this.field('Memory (MiB)').fill(String(change.memory_mib));
    if (change.disk_gib !== undefined) await this.field('Disk (GiB)').fill(String(change.disk_gib));
    await this.button('Preview').click();
    const plan = await this.planShown();
    expect(new URL(this.page.url()).searchParams.has(''), 'a button is no field').toBe(false);
    return plan;
  }

  /** The same by its address: a preview can be linked. */
  async previewLinked(vm: string, size: Size): Promise<Plan> {
    await this.open(
      `/vms/${vm}/resize?vcpus=${size.vcpus}&memory_mib=${size.memory_mib}&disk_gib=${size.disk_gib}`,
    );
    return this.planShown();
  }

  private async planShown(): Promise<Plan> {
    await expect(this.plan).toBeVisible();
    await this.alive();
    return found(await this.plan.getAttribute('data-plan'), 'a plan') as Plan;
  }

  /** Agrees to the plan shown, and to a guest's being forced off only where that is said; its operation. */
  async agree({ forceOff = false } = {}): Promise<string> {
    if (forceOff) await this.page.getByRole('checkbox', { name: /^Force off/ }).check();
    await this.button('Resize').click();
    return this.operationOpened();
  }

  /** Waits for an operation's page; its id. */
  async operationOpened(): Promise<string> {
    const opened = this.page.waitForURL(/\/operations\/[0-9a-f-]{36}/, { timeout: 30_000 });
    await opened.catch(async (error: Error) => {
      throw new Error(`no operation: ${await this.said()}`, { cause: error });
    });
    await this.alive();
    return found(/\/operations\/([0-9a-f-]{36})/.exec(this.page.url())?.[1], 'an operation in the address');
  }

  /** Waits on an operation's page until it is over. With scripts it changes by itself; without, by loading it again. */
  async outcome(seconds = 120): Promise<Outcome> {
    const status = this.page.getByRole('status').filter({ hasText: /Succeeded|Failed|Undone/ });
    if (this.scripts) {
      await expect(status).toBeVisible({ timeout: seconds * 1000 });
    } else {
      await expect(async () => {
        await this.page.reload();
        await expect(status).toBeVisible({ timeout: 500 });
      }).toPass({ timeout: seconds * 1000, intervals: [500] });
    }
    const word = found(/Succeeded|Failed|Undone/.exec(await status.innerText()), 'an outcome')[0];
    const main = this.page.locator('[data-operation]').first();
    const text = (name: string) => main.getAttribute(`data-${name}`);
    const number = async (name: string) => {
      const told = await text(name);
      return told === null || told === '' ? null : Number(told);
    };
    return {
      id: found(await text('operation'), 'data-operation'),
      word,
      plan: await text('plan'),
      durationMs: await number('duration-ms'),
      calledMs: await number('called-ms'),
      downtimeMs: await number('downtime-ms'),
      source: await text('source'),
      destination: await text('destination'),
    };
  }

  /** Asks for a size, agrees, and sees it through. */
  async resize(vm: string, size: Partial<Size>): Promise<Outcome> {
    const plan = await this.preview(vm, size);
    if (plan === 'refused') throw new Error(`refused: ${await this.plan.innerText()}`);
    for (const cost of ['Takes', 'Downtime']) {
      await expect(this.plan.locator(`dt:text-is("${cost}") + dd`), 'what is expected').toHaveText(/\d|none|under a second/i);
    }
    await this.agree();
    const outcome = await this.outcome();
    expect(outcome.word, await this.said()).toBe('Succeeded');
    return outcome;
  }

  /** Asks for a VM of the smallest offer. */
  async orderDeploy(name: string, image: string, keys = ''): Promise<void> {
    await this.open('/vms/new');
    await this.field('Name').fill(name);
    await this.field('SSH keys').fill(keys);
    await this.page.getByLabel('Image').selectOption(image);
    await this.page.getByLabel('Offer').selectOption({ index: 0 });
    await this.button('Deploy').click();
  }

  /** The same, and sees it through; its id. */
  async deploy(name: string, image: string, keys = ''): Promise<string> {
    await this.orderDeploy(name, image, keys);
    await this.operationOpened();
    expect((await this.outcome()).word, await this.said()).toBe('Succeeded');
    return this.idOf(name);
  }

  /** The id of a VM that is listed by this name; ends on the list. */
  async idOf(name: string): Promise<string> {
    await this.open('/vms');
    const link = this.page.locator('main a[href^="/vms/"]', { hasText: name }).first();
    return found(/\/vms\/([0-9a-f-]{36})/.exec((await link.getAttribute('href')) ?? '')?.[1], 'its id');
  }

  /** A step on an operation's page, while it is carried out. */
  underWay(step: string): Locator {
    return this.page.locator(`[data-step=${step}][data-state=started]`);
  }

  /** Presses a button of the VM's page that starts an operation, and sees it through. */
  async order(vm: string, name: 'Start' | 'Stop'): Promise<Outcome> {
    await this.open(`/vms/${vm}`);
    await this.button(name).click();
    await this.operationOpened();
    const outcome = await this.outcome();
    expect(outcome.word, await this.said()).toBe('Succeeded');
    return outcome;
  }

  /** Deletes a VM by its page, which leads to another that asks once more; ends on the operation's page. */
  async remove(vm: string): Promise<void> {
    await this.open(`/vms/${vm}`);
    await this.button('Delete').click();
    await this.page.waitForURL(/\/delete/);
    await this.alive();
    await this.button('Delete').click();
    await this.operationOpened();
  }

  /** The operations that the VM's page lists. */
  async operationsOf(vm: string): Promise<Set<string>> {
    await this.open(`/vms/${vm}`);
    // All at once: a link goes when its operation is over.
    const links = this.page.locator('main a[href*="/operations/"]');
    return new Set(await links.evaluateAll((found) => found.map((link) => link.getAttribute('href') ?? '')));
  }

  /** What the page says, for the message of a test that fails. */
  async said(): Promise<string> {
    return (await this.page.locator('main').innerText()).slice(0, 3000);
  }
}
