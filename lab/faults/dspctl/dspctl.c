// SPDX-License-Identifier: GPL-2.0
/* A signal processor's gain: words written to a file name a channel and a step. */
#include <linux/module.h>
#include <linux/ctype.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/string.h>

struct dsp_channel {
	char name[8];
	s32 gain;
	u32 changes;
};

struct dsp {
	struct dsp_channel channels[4];
	struct dsp_channel *last;
};

static struct dsp *dsp;

static inline bool dsp_is(const struct dsp_channel *channel, const char *word)
{
	unsigned int i;

	for (i = 0; i < sizeof(channel->name) && channel->name[i]; i++)
		if (tolower(word[i]) != channel->name[i])
			return false;
	return true;
}

static noinline struct dsp_channel *dsp_find(struct dsp *dsp, const char *word)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dsp->channels); i++)
		if (dsp_is(&dsp->channels[i], word))
			return &dsp->channels[i];
	return NULL;
}

static noinline int dsp_step(struct dsp *dsp, const char *word, s32 step)
{
	struct dsp_channel *channel = dsp_find(dsp, word);

	if (!channel)
		return -EINVAL;
	channel->gain += step;
	channel->changes++;
	dsp->last = channel;
	return 0;
}

static ssize_t dsp_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	int result = dsp_step(dsp, (const char __force *)from, 3);

	return result ? result : length;
}

static const struct proc_ops dsp_proc_ops = { .proc_write = dsp_write };

static int __init dsp_init(void)
{
	dsp = kzalloc(sizeof(*dsp), GFP_KERNEL);
	if (!dsp)
		return -ENOMEM;
	strcpy(dsp->channels[0].name, "left");
	strcpy(dsp->channels[1].name, "right");
	strcpy(dsp->channels[2].name, "centre");
	strcpy(dsp->channels[3].name, "bass");
	return proc_create("dspctl", 0200, NULL, &dsp_proc_ops) ? 0 : -ENOMEM;
}

static void __exit dsp_exit(void)
{
}

module_init(dsp_init);
module_exit(dsp_exit);
MODULE_DESCRIPTION("Signal processor");
MODULE_LICENSE("GPL");
