// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unloading the module, and loading it again as it was, for the tests.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "marena_test.h"

static const char * const parameters[] = {
	"user_max_pages", "user_max_arenas", "user_max_space",
};

static void add_parameter(struct mt_module *m, const char *name)
{
	size_t len = strlen(m->command);
	char path[128], value[64];

	snprintf(path, sizeof(path), MT_MODULE "/parameters/%s", name);
	mt_assert(mt_read_file(path, value, sizeof(value)) > 0);
	value[strcspn(value, "\n")] = '\0';
	snprintf(m->command + len, sizeof(m->command) - len, " %s=%s", name,
		 value);
}

/* Notes what the module's parameters are, and whose the device is. */
void mt_module_note(struct mt_module *m)
{
	unsigned int i;

	mt_assert_eq(stat(MT_DEVICE, &m->device), 0);
	strcpy(m->command, "modprobe marena");
	for (i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		add_parameter(m, parameters[i]);
}

/* Loads it so, if it is not there. */
int mt_module_restore(const struct mt_module *m)
{
	if (!access(MT_MODULE, F_OK))
		return 0;
	if (system(m->command))
		return -ENOEXEC;
	/* Where there is no udev to do it. */
	if (chown(MT_DEVICE, m->device.st_uid, m->device.st_gid) ||
	    chmod(MT_DEVICE, m->device.st_mode & 07777))
		return -errno;
	return 0;
}

/* False where it is in use. */
bool mt_module_try_unload(void)
{
	int ret = syscall(SYS_delete_module, "marena", O_NONBLOCK) ? -errno : 0;

	if (ret == -EWOULDBLOCK || ret == -EBUSY)
		return false;
	mt_assert_eq(ret, 0);
	mt_assert(access(MT_MODULE, F_OK));
	mt_assert(access(MT_DEVICE, F_OK));
	return true;
}

/*
 * Nobody uses it any more. But a name in an IPC namespace that has ended goes a
 * little later than the namespace itself; until then the module stays.
 */
void mt_module_unload(void)
{
	while (!mt_module_try_unload())
		usleep(100000);
}
