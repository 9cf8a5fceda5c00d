// What the driver's compiler tells of the pipelines that it made.
#include "shim.h"

#include <stdlib.h>
#include <string.h>

static double number(const VxPipelineExecutableStatistic *s) {
    double v;
    int64_t i;
    switch (s->format) {
    case VX_STATISTIC_BOOL32:
        return (uint32_t)s->value != 0;
    case VX_STATISTIC_INT64:
        memcpy(&i, &s->value, sizeof i);
        return (double)i;
    case VX_STATISTIC_FLOAT64:
        memcpy(&v, &s->value, sizeof v);
        return v;
    }
    return (double)s->value;
}

// one returns the statistics of one executable.
static VxResult one(vx_dev *d, VxPipelineExecutableInfo *info, vx_statistic **out, uint32_t *n) {
    VxResult r = d->GetPipelineExecutableStatisticsKHR(d->dev, info, n, NULL);
    if (r < 0)
        return r;
    VxPipelineExecutableStatistic *list = calloc(*n ? *n : 1, sizeof *list);
    *out = calloc(*n ? *n : 1, sizeof **out);
    if (!list || !*out) {
        free(list);
        return VX_ERROR_OUT_OF_HOST_MEMORY;
    }
    for (uint32_t i = 0; i < *n; i++)
        list[i].sType = VX_ST_PIPELINE_EXECUTABLE_STATISTIC;
    r = d->GetPipelineExecutableStatisticsKHR(d->dev, info, n, list);
    for (uint32_t i = 0; r >= 0 && i < *n; i++) {
        memcpy((*out)[i].name, list[i].name, sizeof list[i].name);
        (*out)[i].value = number(&list[i]);
    }
    free(list);
    return r;
}

// vx_statistics returns the statistics of a compute pipeline, which has one
// executable; the list is there even where the result is an error.
VxResult vx_statistics(vx_dev *d, uint64_t pipeline, vx_statistic **out, uint32_t *n) {
    *out = NULL;
    *n = 0;
    if (!d->GetPipelineExecutablePropertiesKHR || !d->GetPipelineExecutableStatisticsKHR)
        return VX_ERROR_EXTENSION_NOT_PRESENT;
    VxPipelineInfo p = {VX_ST_PIPELINE_INFO, NULL, pipeline};
    uint32_t executables = 0;
    VxResult r = d->GetPipelineExecutablePropertiesKHR(d->dev, &p, &executables, NULL);
    if (r < 0 || executables == 0)
        return r;
    VxPipelineExecutableInfo info = {VX_ST_PIPELINE_EXECUTABLE_INFO, NULL, pipeline, 0};
    return one(d, &info, out, n);
}
