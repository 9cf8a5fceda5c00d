// Package tune finds, for one network on one device, the fastest variant of the
// kernels for every task, and keeps what it found in a file.
//
// A [Tuner] tries every candidate against the reference (ops/optest.Trial), times
// those that agree inside the network's own step, and at the end times whole steps
// with the choice of the device's class and with its own in turn. A [File] is what
// comes of it: readable, one line for each task with the time of every candidate, so
// that a person sees why, and may choose otherwise.
//
// Nothing is tuned unless somebody asks for it, and a file holds for the device,
// driver, network, batch, engine and precision that it was made with; it is refused
// elsewhere:
//
//	t := tune.Tuner{Device: device, Graph: graph, Options: options.For(device)}
//	file, err := t.Run(ctx)
//	…
//	err = file.Save("tuned.json")
//
//	file, err := tune.Load("tuned.json")
//	…
//	err = file.On(device.Info())
//	…
//	options, err = file.Apply(graph, options)
package tune
