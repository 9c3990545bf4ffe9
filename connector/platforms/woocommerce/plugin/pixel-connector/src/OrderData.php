<?php
/**
 * Personal data among our order meta.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Exports and erases the stamp of an order. The event's id and the choice itself stay: they name nobody, and without them a
 * purchase could be sent again.
 */
final class OrderData {

	private const PERSONAL = array( 'ttclid', 'ttp', 'page_url', 'referrer', 'visitor_id', 'country' );
	private const SHOWN    = array( 'consent', 'consent_at', 'consent_source', 'gpc', 'ttclid', 'ttp', 'page_url', 'referrer', 'visitor_id', 'country', 'event_id' );

	/**
	 * The stamp of an order for the exporter, or null.
	 *
	 * @param \WC_Order $order Order.
	 */
	public static function export( \WC_Order $order ): ?array {
		$data = array();
		foreach ( self::SHOWN as $name ) {
			$value = OrderMeta::get( $order, $name );
			if ( '' !== $value ) {
				$data[] = array(
					'name'  => $name,
					'value' => $value,
				);
			}
		}
		return $data ? self::group( 'pixel-connector-orders', 'order-' . $order->get_id(), $data ) : null;
	}

	/**
	 * Removes what is personal; true when there was something.
	 *
	 * @param \WC_Order $order Order.
	 */
	public static function erase( \WC_Order $order ): bool {
		$changed = OrderMeta::set( $order, array_fill_keys( self::PERSONAL, null ) );
		if ( $changed ) {
			OrderMeta::save_quietly( $order );
		}
		return $changed;
	}

	/**
	 * What the connector answered, for the exporter.
	 *
	 * @param array $answer Decoded answer.
	 */
	public static function from_connector( array $answer ): array {
		$items = array();
		foreach ( array_filter( (array) ( $answer['items'] ?? array() ), 'is_array' ) as $number => $item ) {
			$data = array();
			foreach ( array_filter( (array) ( $item['data'] ?? array() ), 'is_array' ) as $pair ) {
				$data[] = array(
					'name'  => sanitize_text_field( (string) ( $pair['name'] ?? '' ) ),
					'value' => esc_html( (string) ( $pair['value'] ?? '' ) ),
				);
			}
			$items[] = self::group( 'pixel-connector-' . sanitize_key( (string) ( $item['group'] ?? 'events' ) ), sanitize_key( (string) ( $item['id'] ?? $number ) ), $data );
		}
		return $items;
	}

	/**
	 * Says in the export itself that the connector's part is missing.
	 *
	 * @param string $message Why.
	 */
	public static function failure( string $message ): array {
		$data = array(
			array(
				'name'  => __( 'Not complete', 'pixel-connector' ),
				'value' => esc_html( $message ),
			),
		);
		return self::group( 'pixel-connector-connector', 'failure', $data );
	}

	/**
	 * An entry of the export.
	 *
	 * @param string $group Group.
	 * @param string $id    Id in it.
	 * @param array  $data  Names and values.
	 */
	private static function group( string $group, string $id, array $data ): array {
		return array(
			'group_id'    => $group,
			'group_label' => __( 'Advertising measurement (TikTok)', 'pixel-connector' ),
			'item_id'     => $id,
			'data'        => $data,
		);
	}
}
