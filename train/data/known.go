package data

import (
	"slices"
	"strings"
)

// A published file: the names under which it is found (each also with .gz) and
// the SHA-256 or SHA-1 of its content, in hex.
type published struct {
	names []string
	sum   string
}

// An archive is a file that a set's home offers for download.
type archive struct {
	name string
	md5  string // as the home publishes it, in hex; "" where it does not
}

// A known set: how its files look and what is published about it.
type known struct {
	name, title string
	folder      string   // where the set's own archive puts the files
	defaults    []string // folders to look into when no other is named
	h, w, c     int
	mean, std   []float32
	classes     []string

	records [2]int // in each file of a split
	labels  []int  // of record files (CIFAR): how many classes each label byte names
	label   int    // which of them is used

	// IDX files (MNIST) come in pairs, images before labels.
	idx bool

	files [2][]published // by Split

	homes    []string  // addresses of folders that hold the archives
	archives []archive // all that is to be downloaded
}

// Names lists the data sets that [Open] knows.
func Names() []string {
	names := make([]string, len(knownSets))
	for i, k := range knownSets {
		names[i] = k.name
	}
	return names
}

func lookUp(name string) *known {
	i := slices.IndexFunc(knownSets, func(k *known) bool { return k.name == name })
	if i < 0 {
		return nil
	}
	return knownSets[i]
}

// owner names the published file that has this content, "" if none has.
func owner(sum string) string {
	for _, k := range knownSets {
		for _, split := range k.files {
			for _, f := range split {
				if f.sum == sum {
					return k.title + "'s " + f.names[0]
				}
			}
		}
	}
	return ""
}

func words(s string) []string { return strings.Fields(s) }

// Mean and deviation of CIFAR are those of gpleiss's DenseNet (channel means
// over the training split), of MNIST and Fashion-MNIST those measured on it.
var knownSets = []*known{
	{
		name: "cifar10", title: "CIFAR-10", folder: "cifar-10-batches-bin", h: 32, w: 32, c: 3,
		mean: []float32{0.4914, 0.4822, 0.4465}, std: []float32{0.2470, 0.2435, 0.2616},
		classes: words("airplane automobile bird cat deer dog frog horse ship truck"),
		labels:  []int{10}, records: [2]int{10000, 10000},
		homes: cifarHomes, archives: []archive{{"cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"}},
		files: [2][]published{{
			{words("data_batch_1.bin"), "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
			{words("data_batch_2.bin"), "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
			{words("data_batch_3.bin"), "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
			{words("data_batch_4.bin"), "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
			{words("data_batch_5.bin"), "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
		}, {
			{words("test_batch.bin"), "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"},
		}},
	},
	cifar100("cifar100", "CIFAR-100", 1, cifar100Fine),
	cifar100("cifar100-coarse", "CIFAR-100 (20 classes)", 0, cifar100Coarse),
	{
		name: "fashion-mnist", title: "Fashion-MNIST", folder: "fashion-mnist", h: 28, w: 28, c: 1,
		idx: true, records: [2]int{60000, 10000},
		defaults: []string{"/usr/share/datasets/fashion-mnist"}, // Debian's dataset-fashion-mnist
		homes: []string{
			"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
			"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
		},
		archives: idxArchives,
		mean:     []float32{0.2860}, std: []float32{0.3530},
		classes: []string{"T-shirt/top", "trouser", "pullover", "dress", "coat",
			"sandal", "shirt", "sneaker", "bag", "ankle boot"},
		files: idxFiles(
			"c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
			"bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
			"5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
			"0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
	},
	{
		name: "mnist", title: "MNIST", folder: "mnist", h: 28, w: 28, c: 1,
		idx: true, records: [2]int{60000, 10000},
		homes: []string{
			"https://ossci-datasets.s3.amazonaws.com/mnist", // the copy that torchvision uses
			"https://storage.googleapis.com/cvdf-datasets/mnist",
		},
		archives: idxArchives,
		mean:     []float32{0.1307}, std: []float32{0.3081},
		classes: words("0 1 2 3 4 5 6 7 8 9"),
		files: idxFiles(
			"ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
			"65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
			"0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
			"ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
	},
}

func cifar100(name, title string, label int, classes []string) *known {
	return &known{
		name: name, title: title, folder: "cifar-100-binary", h: 32, w: 32, c: 3,
		mean: []float32{0.5071, 0.4865, 0.4409}, std: []float32{0.2673, 0.2564, 0.2762},
		classes: classes, labels: []int{20, 100}, label: label, records: [2]int{50000, 10000},
		// The SHA-1 are those that Apache MXNet publishes.
		files: [2][]published{
			{{words("train.bin"), "e207cd2e05b73b1393c74c7f5e7bea451d63e08e"}},
			{{words("test.bin"), "8fb6623e830365ff53cf14adec797474f5478006"}},
		},
		homes: cifarHomes, archives: []archive{{"cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"}},
	}
}

// cifarHomes is where the authors of CIFAR keep it.
var cifarHomes = []string{"https://www.cs.toronto.edu/~kriz"}

// idxArchives are MNIST's and Fashion-MNIST's; their content has known hashes.
var idxArchives = []archive{
	{name: "train-images-idx3-ubyte.gz"}, {name: "train-labels-idx1-ubyte.gz"},
	{name: "t10k-images-idx3-ubyte.gz"}, {name: "t10k-labels-idx1-ubyte.gz"},
}

// idxFiles names MNIST's four files as the upstream archives and as Kaggle's do.
func idxFiles(trainImages, trainLabels, testImages, testLabels string) [2][]published {
	pair := func(split, images, labels string) []published {
		return []published{
			{[]string{split + "-images-idx3-ubyte", split + "-images.idx3-ubyte"}, images},
			{[]string{split + "-labels-idx1-ubyte", split + "-labels.idx1-ubyte"}, labels},
		}
	}
	return [2][]published{pair("train", trainImages, trainLabels), pair("t10k", testImages, testLabels)}
}

var cifar100Coarse = words(`aquatic_mammals fish flowers food_containers fruit_and_vegetables
	household_electrical_devices household_furniture insects large_carnivores
	large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores
	medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2`)

var cifar100Fine = words(`apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle
	bowl boy bridge bus butterfly camel can castle caterpillar cattle
	chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur
	dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard
	lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain
	mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
	plain plate poppy porcupine possum rabbit raccoon ray road rocket
	rose sea seal shark shrew skunk skyscraper snail snake spider
	squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor
	train trout tulip turtle wardrobe whale willow_tree wolf woman worm`)

// Published returns what is published of one of the sets in [Names]: sizes, classes,
// and the mean and deviation that its images are normalised with. It has no images.
func Published(name string) (*Set, error) {
	k := lookUp(name)
	if k == nil {
		return nil, unknown(name)
	}
	return &Set{Name: k.name, H: k.h, W: k.w, C: k.c, Classes: len(k.classes), Mean: k.mean, Std: k.std, ClassNames: k.classes}, nil
}
