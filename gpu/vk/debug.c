// Validation messages are collected here and drained by Go: no Go callback
// ever runs on a driver's thread, so the hot calls need not allow for one.
#include "shim.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_flag busy = ATOMIC_FLAG_INIT;
static char text[1 << 18]; // messages, each ended by a NUL
static size_t used;
static uint32_t lost; // messages that found no room

// The sections are a few copies long; messages are rare.
static void lock(void) {
    while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire))
        ;
}
static void unlock(void) { atomic_flag_clear_explicit(&busy, memory_order_release); }

static VxBool32 VX_CALL collect(VxEnum severity, VxFlags types,
                                const VxDebugUtilsMessengerCallbackData *d, void *user) {
    (void)types;
    (void)user;
    lock();
    size_t room = sizeof text - used;
    int n = snprintf(text + used, room, "%s: %s: %s", severity >= VX_SEVERITY_ERROR ? "error" : "warning",
                     d->pMessageIdName ? d->pMessageIdName : "-", d->pMessage ? d->pMessage : "-");
    if (n >= 0 && (size_t)n < room)
        used += (size_t)n + 1;
    else
        lost++;
    unlock();
    return 0;
}

// vx_messages drains the text, at most cap bytes, into out and returns how
// many bytes it wrote. Callers give as much room as the buffer has.
uint32_t vx_messages(char *out, size_t cap) {
    lock();
    size_t n = used < cap ? used : cap;
    memcpy(out, text, n);
    if (lost) {
        int k = snprintf(out + n, cap - n, "error: -: %u further messages found no room", lost);
        n += k >= 0 && (size_t)k < cap - n ? (size_t)k + 1 : 0;
    }
    used = 0;
    lost = 0;
    unlock();
    return (uint32_t)n;
}

static void messenger_info(VxDebugUtilsMessengerCreateInfo *mi) {
    memset(mi, 0, sizeof *mi);
    mi->sType = VX_ST_DEBUG_UTILS_MESSENGER_CREATE_INFO;
    mi->messageSeverity = VX_SEVERITY_WARNING | VX_SEVERITY_ERROR;
    mi->messageType = VX_MESSAGE_VALIDATION; // the loader's own remarks are none
    mi->pfnUserCallback = collect;
}

typedef struct {
    VxValidationFeatures features;
    VxDebugUtilsMessengerCreateInfo messenger;
    VxEnum enable[1];
} chain;

// vx_debug_chain is for VkInstanceCreateInfo: a messenger for the creation
// itself and, if the layer knows VkValidationFeaturesEXT, the choice of
// synchronisation validation. One allocation; the caller frees it.
void *vx_debug_chain(int features, int sync) {
    chain *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    messenger_info(&c->messenger);
    c->enable[0] = VX_ENABLE_SYNC_VALIDATION;
    c->features.sType = VX_ST_VALIDATION_FEATURES;
    c->features.enabledValidationFeatureCount = sync ? 1 : 0;
    c->features.pEnabledValidationFeatures = c->enable;
    // The chain starts at the allocation, so that one free suffices.
    if (features)
        c->features.pNext = &c->messenger;
    else
        memmove(c, &c->messenger, sizeof c->messenger);
    return c;
}

VxResult vx_messenger(void *inst, uint64_t *out) {
    PVX_CreateMessenger f =
        (PVX_CreateMessenger)vx_instance_proc(inst, "vkCreateDebugUtilsMessengerEXT");
    if (!f)
        return VX_ERROR_EXTENSION_NOT_PRESENT;
    VxDebugUtilsMessengerCreateInfo mi;
    messenger_info(&mi);
    return f(inst, &mi, NULL, out);
}

void vx_messenger_destroy(void *inst, uint64_t messenger) {
    PVX_DestroyMessenger f =
        (PVX_DestroyMessenger)vx_instance_proc(inst, "vkDestroyDebugUtilsMessengerEXT");
    if (f && messenger)
        f(inst, messenger, NULL);
}
