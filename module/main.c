// SPDX-License-Identifier: GPL-2.0-only
/*
 * marena: garbage-collected shared memory. The device, and loading.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "fs.h"
#include "ioctl.h"
#include "name.h"
#include "pressure.h"
#include "span.h"
#include "stop.h"

static const struct file_operations marena_device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = marena_device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice marena_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "marena",
	.mode = 0660,
	.fops = &marena_device_fops,
};

static int __init marena_init(void)
{
	int err;

	err = marena_fs_init();
	if (err)
		return err;
	err = marena_span_init();
	if (err)
		goto err_fs;
	err = marena_pressure_init();
	if (err)
		goto err_span;
	err = misc_register(&marena_device);
	if (err)
		goto err_pressure;
	return 0;

err_pressure:
	marena_pressure_exit();
err_span:
	marena_span_exit();
err_fs:
	marena_fs_exit();
	return err;
}

/* No file, mapping or lasting name is left, or the module would be held. */
static void __exit marena_exit(void)
{
	misc_deregister(&marena_device);
	marena_names_exit();
	marena_pressure_exit();
	marena_span_exit();
	marena_fs_exit();
	marena_stop_exit();
}

module_init(marena_init);
module_exit(marena_exit);
MODULE_DESCRIPTION("Garbage-collected shared memory");
MODULE_AUTHOR("marena developers");
MODULE_LICENSE("GPL");
