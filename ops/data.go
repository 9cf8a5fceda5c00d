package ops

// dataForm is a data gradient without batch norm in one of its forms.
type dataForm interface {
	// steps reads the gradient and the weights of r and writes dx, which are the
	// reader's channels from C0 on, or with acc adds to it.
	steps(e *Env, label string, r Reader, dx View, acc bool) []Step
}

// plainData is the plain form.
type plainData struct{}

func (plainData) steps(e *Env, label string, r Reader, dx View, acc bool) []Step {
	return dataSteps(e, label, r, dx, acc)
}

// partData is a form with the task that its steps belong to.
type partData struct {
	dataForm
	Choice
}

func (d partData) steps(e *Env, label string, r Reader, dx View, acc bool) []Step {
	return d.of(d.dataForm.steps(e, label, r, dx, acc))
}

// newData chooses the form of the data gradient of r to dx.
func newData(e *Env, label string, r Reader, dx View) dataForm {
	x := dx.Block
	shape, quads := e.quads(r.Geometry, x)
	quads = quads && !shape.pool
	task := Task{Role: DataRole, Geometry: r.Geometry, N: x.N, H: x.H, W: x.W, C: dx.C(), K: r.DY.C()}
	v := e.choose(task, func(v Variant) bool {
		_, tiles := e.cut(v, DataRole, r.Geometry, x, dx.C())
		return v == QuadForm && quads || tiles
	})
	part := partData{plainData{}, Choice{task, v}}
	switch v {
	case PlainForm:
		return part
	case QuadForm:
		part.dataForm = newQuadData(e, label, r, dx, shape)
		return part
	}
	t := &tileData{form: v, noTiles: noTiles(label), links: e.Tables.Add(label+"/dy_links", int(r.DY.C())*LinkWords)}
	t.shape, _ = e.cut(v, DataRole, r.Geometry, x, dx.C())
	part.dataForm = t
	return part
}
