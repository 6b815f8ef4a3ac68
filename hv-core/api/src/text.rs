//! Types that are one word on the wire and elsewhere: written by `Display`, read by `FromStr`.

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl zlink::introspect::Type for $name {
            const TYPE: &'static zlink::idl::Type<'static> = &zlink::idl::Type::String;
        }
    )*};
}

pub(crate) use as_text;
