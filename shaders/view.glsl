#ifndef VIEW_GLSL
#define VIEW_GLSL
// A View is a run of planes of a block stored [C][N][H][W]. A plane is one
// channel over the whole batch: N·H·W elements, pixel p = (n·H + y)·W + x.
struct View {
    uint base;  // first element, counted from the start of the binding
    uint plane; // elements per plane, = N·H·W
};

// at returns where element i of v lies in its binding: a view is contiguous.
uint at(View v, uint i) { return v.base + i; }
// px returns where pixel p of plane c of v lies in its binding.
uint px(View v, uint c, uint p) { return v.base + c * v.plane + p; }
#endif
