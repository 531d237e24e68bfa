// In the place of src/backends/processor.cpp: a processor that lacks transactions.
#include "backends/processor.hpp"

const psnam::backends::Processor psnam::backends::kProcessor{true, false};
