import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Line } from "../../../src/guest/payload.ts";
import { mac, NamespaceGuest, whyNot } from "./rig.ts";

/** A configuration in which every module has something to do that it had not before. */
const lines = (generation: number): readonly Line[] => [
  ["hostname", `web-${generation}`],
  ["timeZone", zone(generation)],
  ["adapter.0.mac", mac],
  ["adapter.0.name", "web-lan"],
  ["adapter.0.ipv4.method", "Static"],
  ["adapter.0.ipv4.address", `192.0.2.${10 + generation}`],
  ["adapter.0.ipv4.prefixLength", "24"],
  ["adapter.0.ipv4.gateway", "192.0.2.1"],
  ["adapter.0.ipv4.dns.0", `192.0.2.${100 + generation}`],
  ["admin.name", `admin${generation}`],
  ["admin.password", `password-${generation}`],
  ["admin.sshKey.0", `ssh-ed25519 AAAAadmin${generation}`],
  ["automation.user", `ansible${generation}`],
  ["automation.publicKey", `ssh-ed25519 AAAAautomation${generation}`],
  ["domain.name", `ad${generation}.example.org`],
  ["domain.username", "joiner"],
  ["domain.password", "join-secret"],
  ["growFilesystems", "true"],
  ["file.0.path", "/etc/app/first"],
  ["file.0.mode", "0640"],
  ["file.0.content", `first ${generation}\n`],
  ["file.1.path", "/etc/app/second"],
  ["file.1.mode", "0600"],
  ["file.1.content", `second ${generation}\n`],
  ["service.0.name", "beacon"],
  ["service.0.state", generation % 2 === 1 ? "Running" : "Stopped"],
  ["service.0.startup", generation % 2 === 1 ? "Enabled" : "Disabled"],
  ["script.0.name", "change"],
  ["script.0.interpreter", "sh"],
  ["script.0.run", "OnChange"],
  ["script.0.timeoutSeconds", "60"],
  ["script.0.content", `echo first ${generation} >>/var/log/scripts\n`],
  ["script.1.name", "always"],
  ["script.1.interpreter", "sh"],
  ["script.1.run", "Always"],
  ["script.1.timeoutSeconds", "60"],
  ["script.1.content", `sleep 0.3; echo second ${generation} >>/var/log/scripts\n`],
];

const zone = (generation: number): string => (generation % 2 === 1 ? "Europe/Berlin" : "Asia/Tokyo");

/** Where the agent and all its children are ended: lines of shell that are loaded into it. */
interface Cut {
  readonly module: string;
  readonly when: string;
  readonly prefix: string;
  /** How often the second script runs in the end; 2 where it was not known that it had ended. */
  readonly runs?: number;
  /** False where it was cut before it could tell of the module. */
  readonly told?: boolean;
}

const cuts: readonly Cut[] = [
  { module: "network", when: "while it reports", prefix: "kvp_foreign() { die; }", told: false },
  { module: "network", when: "before the old files are kept", prefix: "keep_before() { die; }" },
  {
    module: "network",
    when: "with the interface taken down",
    prefix: 'ip() { command ip "$@"; [ "$2" != flush ] || die; }',
  },
  { module: "network", when: "with new files that do not run yet", prefix: "network_apply_ifupdown() { die; }" },
  { module: "network", when: "before the gateway answered", prefix: "is_up() { die; }" },
  { module: "time", when: "beside the old zone", prefix: 'ln() { command ln "$@"; die; }' },
  { module: "hostname", when: "with the files written, the kernel not told", prefix: "hostname() { die; }" },
  { module: "accounts", when: "with an account in no group", prefix: 'useradd() { command useradd "$@"; die; }' },
  { module: "accounts", when: "before the password", prefix: "chpasswd() { die; }" },
  {
    module: "accounts",
    when: "with the keys beside",
    prefix: 'write_keys() { mkdir -p "$AETHERV_ROOT/home/$1/.ssh"; die; }',
  },
  { module: "automation", when: "before sudo's rule", prefix: "rule() { die; }" },
  { module: "disks", when: "at what cannot grow", prefix: "blocked() { die; }" },
  { module: "domain", when: "before the join", prefix: 'realm() { [ "$1" != join ] || die; command realm "$@"; }' },
  { module: "domain", when: "after the join", prefix: 'realm() { command realm "$@"; [ "$1" != join ] || die; }' },
  {
    module: "files",
    when: "beside the first",
    prefix: 'mv() { case $3 in */first) die ;; *) command mv "$@" ;; esac; }',
  },
  { module: "files", when: "between two", prefix: 'mv() { case $3 in */second) die ;; *) command mv "$@" ;; esac; }' },
  { module: "services", when: "between startup and state", prefix: "service_state() { die; }" },
  { module: "scripts", when: "before the first", prefix: "timeout() { die; }" },
  { module: "scripts", when: "between two", prefix: 'timeout() { grep -q second "$3" && die; command timeout "$@"; }' },
  {
    module: "scripts",
    when: "while one runs",
    prefix: 'timeout() { grep -q first "$3" || { command timeout 0.1 "$2" "$3"; die; }; command timeout "$@"; }',
  },
  {
    module: "scripts",
    when: "after one ended, before that was kept",
    prefix: 'timeout() { command timeout "$@" || return; ! grep -q second "$3" || die; }',
    runs: 2,
  },
  {
    module: "scripts",
    when: "with all done, before that was kept",
    prefix: 'durable() { case $1 in */applied) die ;; *) cat >"$1.new" && mv -f "$1.new" "$1" ;; esac; }',
  },
  {
    module: "scripts",
    when: "with all done, before that was told",
    prefix: 'rm() { case "$*" in */progress) die ;; *) command rm "$@" ;; esac; }',
  },
];

const timeout = 400_000;
const why = whyNot();

describe.skipIf(why !== undefined)("a guest agent that is killed", () => {
  let guest: NamespaceGuest;
  beforeAll(async () => {
    guest = new NamespaceGuest();
    await guest.ready();
    guest.in(`cat >/usr/local/sbin/realm <<'EOF'
#!/bin/sh
# Stands for realmd: joins with what is a password.
case $1 in
  join) [ "$(cat)" = join-secret ] && for last; do :; done && echo "$last" >/etc/joined ;;
  list) cat /etc/joined 2>/dev/null ;;
esac
EOF
chmod 755 /usr/local/sbin/realm`);
    guest.start();
    await guest.reported("Waiting", ({ state }) => state === "Waiting");
  }, timeout);
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.log(guest.log.slice(-2000));
  });
  afterAll(() => guest.stop());

  test.each(cuts.map((cut, at) => ({ ...cut, generation: at + 1 })))(
    "in $module, $when, ends applied",
    { timeout },
    async ({ module, prefix, runs = 1, told = true, generation }) => {
      await guest.kill();
      const { hash } = await guest.publish(generation, lines(generation));
      guest.start(`die() { kill -9 0; }; ${prefix}`);
      await guest.ended();
      // It never says more than is done.
      const left = guest.report();
      expect(left?.state === "Applied" && left.generation === generation).toBe(false);
      if (told) expect(left).toMatchObject({ state: "Applying", step: module, generation, hash });
      guest.start();
      const report = await guest.reported(
        "the end",
        (one) => one.generation === generation && one.state !== "Applying",
      );
      expect(report).toMatchObject({ state: "Applied", hash, step: "", error: "" });
      expectWorld(generation, runs);
    },
  );

  const expectWorld = (generation: number, runs: number): void => {
    const odd = generation % 2 === 1;
    expect(guest.in("uname -n; cat /etc/hostname; grep -c 127.0.1.1 /etc/hosts; readlink /etc/localtime")).toBe(
      `web-${generation}\nweb-${generation}\n1\n/usr/share/zoneinfo/${zone(generation)}\n`,
    );
    expect(guest.in("ip -o -4 addr show dev eth0 scope global | awk '{ print $4 }'; cat /etc/resolv.conf")).toBe(
      `192.0.2.${10 + generation}/24\nnameserver 192.0.2.${100 + generation}\n`,
    );
    expect(
      guest.in("grep -c '^iface eth0' /etc/network/interfaces; ls -d /var/lib/aetherv/network-before 2>&1"),
    ).toMatch(/^1\n.*No such file/);
    expect(guest.pings(`192.0.2.${10 + generation}`)).toBe(true);
    expect(guest.in(`id -nG admin${generation}`)).toContain("sudo");
    expect(
      guest.in(`cat /home/admin${generation}/.ssh/authorized_keys /home/ansible${generation}/.ssh/authorized_keys`),
    ).toBe(`ssh-ed25519 AAAAadmin${generation}\nssh-ed25519 AAAAautomation${generation}\n`);
    const salt = guest.in(`awk -F '[:$]' '$1 == "admin${generation}" { print $4 }' /etc/shadow`).trim();
    expect(
      guest.in(
        `grep -cF "admin${generation}:$(openssl passwd -6 -salt '${salt}' password-${generation}):" /etc/shadow`,
      ),
    ).toBe("1\n");
    expect(guest.in("cat /etc/sudoers.d/*aetherv* | grep -v '^#'")).toBe(
      `ansible${generation} ALL=(ALL:ALL) NOPASSWD: ALL\n`,
    );
    expect(guest.in("cat /etc/joined")).toBe(`ad${generation}.example.org\n`);
    expect(
      guest.in("cat /etc/app/first /etc/app/second; stat -c %a /etc/app/first /etc/app/second; ls -A /etc/app | wc -l"),
    ).toBe(`first ${generation}\nsecond ${generation}\n640\n600\n2\n`);
    expect(guest.in("/etc/init.d/beacon status && echo runs; ls /etc/rc2.d | grep beacon")).toBe(
      odd ? "runs\nS20beacon\n" : "",
    );
    expect(
      guest.in(`grep -cx 'first ${generation}' /var/log/scripts; grep -cx 'second ${generation}' /var/log/scripts`),
    ).toBe(`1\n${runs}\n`);
    expect(
      guest.in("cat /var/lib/aetherv/applied; ls -A /run/aetherv/work /var/lib/aetherv/progress 2>/dev/null"),
    ).toMatch(new RegExp(`^${generation} [0-9a-f]{64}\n(/run/aetherv/work:\n)?$`));
  };
});

if (why !== undefined) test("a guest agent that is killed", (context) => context.skip(why));
