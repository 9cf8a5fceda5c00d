package vk

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Where the prefix is not all that differs.
var vkStructs = map[string]string{
	"VxIDProperties":                    "VkPhysicalDeviceIDProperties",
	"VxSubgroupProperties":              "VkPhysicalDeviceSubgroupProperties",
	"VxSubgroupSizeControlProperties":   "VkPhysicalDeviceSubgroupSizeControlProperties",
	"VxSubgroupSizeControlFeatures":     "VkPhysicalDeviceSubgroupSizeControlFeatures",
	"Vx16BitStorageFeatures":            "VkPhysicalDevice16BitStorageFeatures",
	"VxBufferDeviceAddressFeatures":     "VkPhysicalDeviceBufferDeviceAddressFeatures",
	"Vx8BitStorageFeatures":             "VkPhysicalDevice8BitStorageFeatures",
	"VxFloat16Int8Features":             "VkPhysicalDeviceShaderFloat16Int8Features",
	"VxVulkanMemoryModelFeatures":       "VkPhysicalDeviceVulkanMemoryModelFeatures",
	"VxRequiredSubgroupSize":            "VkPipelineShaderStageRequiredSubgroupSizeCreateInfo",
	"VxCooperativeMatrixFeaturesKHR":    "VkPhysicalDeviceCooperativeMatrixFeaturesKHR",
	"VxIntDotFeatures":                  "VkPhysicalDeviceShaderIntegerDotProductFeatures",
	"VxMaintenance3Properties":          "VkPhysicalDeviceMaintenance3Properties",
	"VxMaintenance4Properties":          "VkPhysicalDeviceMaintenance4Properties",
	"VxDriverProperties":                "VkPhysicalDeviceDriverProperties",
	"VxPipelineExecutableFeatures":      "VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR",
	"VxPipelineInfo":                    "VkPipelineInfoKHR",
	"VxPipelineExecutableProperties":    "VkPipelineExecutablePropertiesKHR",
	"VxPipelineExecutableInfo":          "VkPipelineExecutableInfoKHR",
	"VxPipelineExecutableStatistic":     "VkPipelineExecutableStatisticKHR",
	"VxValidationFeatures":              "VkValidationFeaturesEXT",
	"VxDebugUtilsMessengerCallbackData": "VkDebugUtilsMessengerCallbackDataEXT",
	"VxDebugUtilsMessengerCreateInfo":   "VkDebugUtilsMessengerCreateInfoEXT",
}

var vkEnums = map[string]string{
	"VX_ST_DEBUG_UTILS_MESSENGER_CREATE_INFO":          "VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT",
	"VX_ST_VALIDATION_FEATURES":                        "VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT",
	"VX_ST_PD_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES": "VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR",
	"VX_ST_PIPELINE_INFO":                              "VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR",
	"VX_ST_PIPELINE_EXECUTABLE_PROPERTIES":             "VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR",
	"VX_ST_PIPELINE_EXECUTABLE_INFO":                   "VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR",
	"VX_ST_PIPELINE_EXECUTABLE_STATISTIC":              "VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR",
	"VX_PIPELINE_CAPTURE_STATISTICS":                   "VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR",
	"VX_STATISTIC_BOOL32":                              "VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR",
	"VX_STATISTIC_INT64":                               "VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR",
	"VX_STATISTIC_UINT64":                              "VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR",
	"VX_STATISTIC_FLOAT64":                             "VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR",
	"VX_ST_PD_FLOAT16_INT8_FEATURES":                   "VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES",
	"VX_ST_PD_INT_DOT_FEATURES":                        "VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES",
	"VX_BIND_POINT_COMPUTE":                            "VK_PIPELINE_BIND_POINT_COMPUTE",
	"VX_SHADER_STAGE_COMPUTE":                          "VK_SHADER_STAGE_COMPUTE_BIT",
	"VX_DESCRIPTOR_UNIFORM_TEXEL_BUFFER":               "VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER",
	"VX_DESCRIPTOR_STORAGE_BUFFER":                     "VK_DESCRIPTOR_TYPE_STORAGE_BUFFER",
	"VX_MEMORY_ALLOCATE_DEVICE_ADDRESS":                "VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT",
	"VX_BUFFER_USAGE_SHADER_DEVICE_ADDRESS":            "VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT",
	"VX_QUERY_RESULT_64":                               "VK_QUERY_RESULT_64_BIT",
	"VX_ERROR_OUT_OF_HOST_MEMORY":                      "VK_ERROR_OUT_OF_HOST_MEMORY",
	"VX_ERROR_INITIALIZATION_FAILED":                   "VK_ERROR_INITIALIZATION_FAILED",
	"VX_ERROR_EXTENSION_NOT_PRESENT":                   "VK_ERROR_EXTENSION_NOT_PRESENT",
	"VX_SEVERITY_WARNING":                              "VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT",
	"VX_SEVERITY_ERROR":                                "VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT",
	"VX_MESSAGE_VALIDATION":                            "VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT",
	"VX_ENABLE_SYNC_VALIDATION":                        "VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT",
}

// Structs that the code treats as plain room.
var opaque = map[string]bool{"VxPhysicalDeviceFeatures": true}

var (
	comment    = regexp.MustCompile(`//[^\n]*`)
	structure  = regexp.MustCompile(`(?s)typedef struct \{(.*?)\n\} (Vx\w+);`)
	fieldName  = regexp.MustCompile(`(\w+)(?:\[\d+\])?\s*(?:,|$)`)
	enumerator = regexp.MustCompile(`\b(VX_\w+) = (?:0x|-)?\d+,`)
	feature    = regexp.MustCompile(`\bVX_F_SHADER_(\w+)`)
)

// asserts writes one _Static_assert for the size of each struct, for the place
// and the size of each field, and for the value of each constant of abi.
func asserts(abi string) []string {
	abi = comment.ReplaceAllString(abi, "")
	var out []string
	add := func(format string, a ...any) {
		s := fmt.Sprintf("_Static_assert("+format+", \"\");", a...)
		if strings.Contains(strings.ToLower(s), "cooperative") { // headers may be older
			s = "#ifdef VK_KHR_cooperative_matrix\n" + s + "\n#endif"
		}
		out = append(out, s)
	}
	for _, m := range structure.FindAllStringSubmatch(abi, -1) {
		body, vx := m[1], m[2]
		vk, ok := vkStructs[vx]
		if !ok {
			vk = "Vk" + vx[2:]
		}
		add("sizeof(%s) == sizeof(%s)", vx, vk)
		if opaque[vx] {
			continue
		}
		for _, d := range strings.Split(body, ";") {
			for _, f := range fieldName.FindAllStringSubmatch(strings.TrimSpace(d), -1) {
				add("offsetof(%[1]s, %[3]s) == offsetof(%[2]s, %[3]s) && sizeof(((%[1]s *)0)->%[3]s) == sizeof(((%[2]s *)0)->%[3]s)", vx, vk, f[1])
			}
		}
	}
	for _, m := range enumerator.FindAllStringSubmatch(abi, -1) {
		if f := feature.FindStringSubmatch(m[1]); f != nil {
			name := f[1][:1] + strings.ToLower(f[1][1:])
			add("VX_F_SHADER_%s * 4 == offsetof(VkPhysicalDeviceFeatures, shader%s)", f[1], name)
			continue
		}
		vk, ok := vkEnums[m[1]]
		if !ok {
			vk = "VK_STRUCTURE_TYPE_" + strings.Replace(strings.TrimPrefix(m[1], "VX_ST_"), "PD_", "PHYSICAL_DEVICE_", 1)
		}
		add("(int)%s == (int)%s", m[1], vk)
	}
	return out
}

// compile checks the asserts of abi against the installed headers.
func compile(t *testing.T, abi string) (string, error) {
	dir := t.TempDir()
	c := "#include <vulkan/vulkan.h>\n#include \"abi.h\"\n" + strings.Join(asserts(abi), "\n") + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "abi.h"), []byte(abi), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "check.c"), []byte(c), 0o666))
	out, err := exec.Command("cc", "-fsyntax-only", filepath.Join(dir, "check.c")).CombinedOutput()
	return string(out), err
}

// Our ABI header is Vulkan's, to the byte.
func TestABI(t *testing.T) {
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("no C compiler: ", err)
	}
	if _, err := os.Stat("/usr/include/vulkan/vulkan.h"); err != nil {
		t.Skip("no Vulkan headers (libvulkan-dev): ", err)
	}
	b, err := os.ReadFile("abi.h")
	require.NoError(t, err)
	abi := string(b)
	require.Greater(t, len(asserts(abi)), 150, "the parser reads the header")
	out, err := compile(t, abi)
	require.NoError(t, err, out)

	// Each planted fault is seen.
	for old, bad := range map[string]string{
		"VX_ST_SUBMIT_INFO = 4":                            "VX_ST_SUBMIT_INFO = 5",
		"VX_F_SHADER_INT64 = 40":                           "VX_F_SHADER_INT64 = 41",
		"VX_ERROR_EXTENSION_NOT_PRESENT = -7":              "VX_ERROR_EXTENSION_NOT_PRESENT = -6",
		"VX_SEVERITY_ERROR = 0x1000":                       "VX_SEVERITY_ERROR = 0x2000",
		"VX_DESCRIPTOR_STORAGE_BUFFER = 7":                 "VX_DESCRIPTOR_STORAGE_BUFFER = 6",
		"VxDeviceSize srcOffset, dstOffset, size;":         "VxDeviceSize dstOffset, srcOffset, size;",
		"uint32_t dstBinding, dstArrayElement,":            "uint32_t dstArrayElement, dstBinding,",
		"uint64_t basePipelineHandle;":                     "uint32_t basePipelineHandle;",
		"VxBool32 f[55];":                                  "VxBool32 f[54];",
		"char driverName[256], driverInfo[256];":           "char driverInfo[256], driverName[256];",
		"uint32_t constantID, offset;\n    size_t size;":   "uint32_t constantID, offset;\n    uint32_t size;",
		"VxBool32 subgroupSizeControl, computeFullSubgrou": "VxBool32 pad, subgroupSizeControl, computeFullSubgrou",
	} {
		require.Contains(t, abi, old)
		_, err := compile(t, strings.Replace(abi, old, bad, 1))
		assert.Error(t, err, bad)
	}
}
